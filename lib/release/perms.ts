/** Reads a behaviour document. */
export const READ_DOCUMENT_ACTIONS = ['s3:GetObject'];
