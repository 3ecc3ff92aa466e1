/** Every action that this folder grants, except for those of the store, the lanes and the agent's own grants. */

/**
 * The worker protects its own ECS task from scale-in while it runs tasks
 * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html).
 */
export const PROTECTION_ACTIONS = ['ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'];

/**
 * The worker sends traces itself: there is no X-Ray daemon in the task. The action does not support resource-level permissions
 * (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html).
 */
export const TRACE_ACTIONS = ['xray:PutTraceSegments'];
