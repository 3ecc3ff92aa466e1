/** Every action that this folder grants, except for those of the store and of the lanes. */

/**
 * The redrive function, on the lanes' dead-letter queues: count and read messages, make those visible again that stay, and
 * delete those that were redriven.
 */
export const DEAD_LETTER_ACTIONS = [
  'sqs:GetQueueAttributes',
  'sqs:ReceiveMessage',
  'sqs:ChangeMessageVisibility',
  'sqs:DeleteMessage',
];

/** An operator, on the redrive function without a version. */
export const INVOKE_REDRIVE_ACTIONS = ['lambda:InvokeFunction'];
