/** Every action that this folder grants. */

/** Whoever puts tasks into a queue. */
export const SEND_ACTIONS = ['sqs:SendMessage'];

/**
 * The same, on the key of an encrypted queue
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html).
 */
export const SEND_KEY_ACTIONS = ['kms:GenerateDataKey', 'kms:Decrypt'];

/** Whoever polls a queue: take, hide for longer, take out. */
export const RECEIVE_ACTIONS = ['sqs:ReceiveMessage', 'sqs:ChangeMessageVisibility', 'sqs:DeleteMessage'];

/** The same, on the key of an encrypted queue. */
export const RECEIVE_KEY_ACTIONS = ['kms:Decrypt'];
