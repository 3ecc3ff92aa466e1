/** Every action that this folder grants. */

/** Producers: router, worker, redrive function, preflight. */
export const SEND_ACTIONS = ['sqs:SendMessage'];

/**
 * Producers, on the key of an encrypted queue
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html).
 */
export const SEND_KEY_ACTIONS = ['kms:GenerateDataKey', 'kms:Decrypt'];

/** Workers that poll a queue themselves: receive, extend the visibility timeout, delete. */
export const RECEIVE_ACTIONS = ['sqs:ReceiveMessage', 'sqs:ChangeMessageVisibility', 'sqs:DeleteMessage'];

/** Consumers, on the key of an encrypted queue. */
export const RECEIVE_KEY_ACTIONS = ['kms:Decrypt'];
