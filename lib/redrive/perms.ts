/** Every action that this folder grants, besides those of the store and of the lanes. */

/**
 * The redrive function, on the lanes' dead-letter queues: count, look at all, put back what stays, take out what was sent
 * back.
 */
export const DEAD_LETTER_ACTIONS = [
  'sqs:GetQueueAttributes',
  'sqs:ReceiveMessage',
  'sqs:ChangeMessageVisibility',
  'sqs:DeleteMessage',
];

/** An operator, on the redrive function and no version of it. */
export const INVOKE_REDRIVE_ACTIONS = ['lambda:InvokeFunction'];
