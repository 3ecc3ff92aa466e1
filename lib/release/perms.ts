/** Reads a behavior document. */
export const READ_DOCUMENT_ACTIONS = ['s3:GetObject'];

/**
 * Calls a model by Bedrock's Converse
 * (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html).
 */
export const INVOKE_MODEL_ACTIONS = ['bedrock:InvokeModel'];
