/** Every action that this folder grants, except for those of the store and of the lanes. */

/**
 * The router, on itself: during a rollout the weights of its alias `live` are the valve. The action's resource is the
 * function, not the alias (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html).
 */
export const ROUTER_ALIAS_ACTIONS = ['lambda:GetAlias'];

/**
 * The event source mapping of the inbox acts with the router's role
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
 */
export const INBOX_ACTIONS = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'];

/** Router and status function, on the lanes' queues: number of messages. */
export const QUEUE_LENGTH_ACTIONS = ['sqs:GetQueueAttributes'];
/** Router and status function: age of the messages. The action does not support resource-level permissions. */
export const QUEUE_AGE_ACTIONS = ['cloudwatch:GetMetricData'];

/** Callers of the HTTP API, on exact methods and paths. */
export const INVOKE_API_ACTIONS = ['execute-api:Invoke'];
