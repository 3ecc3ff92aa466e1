/** Every action that this folder grants, besides those of the store, the lanes and what the agent is given. */

/**
 * Protects the own task from scale-in while it works, and releases it
 * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html).
 */
export const PROTECTION_ACTIONS = ['ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'];

/**
 * Traces: containers have no daemon beside them that would send them. X-Ray knows no resource for it
 * (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html).
 */
export const TRACE_ACTIONS = ['xray:PutTraceSegments'];
