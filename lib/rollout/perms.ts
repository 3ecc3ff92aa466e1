/** Every action that this folder grants, besides those of the store and of the lanes. */

/** The evidence check counts the finished tasks of a release. CloudWatch does not support resource-level permissions for it. */
export const EVIDENCE_ACTIONS = ['cloudwatch:GetMetricData'];

/** The rollout check reads the router's alias. */
export const ROLLOUT_CHECK_ACTIONS = ['lambda:GetAlias'];
