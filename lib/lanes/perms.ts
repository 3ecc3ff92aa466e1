/** Every action that this folder grants. */

/** Whoever puts tasks into a queue. */
export const SEND_ACTIONS = ['sqs:SendMessage'];
