/** Every action that this folder grants, besides those of the store and of the lanes. */

/** The evidence check counts the finished tasks of a release. CloudWatch knows no resource for it. */
export const EVIDENCE_ACTIONS = ['cloudwatch:GetMetricData'];

/** The rollout check looks at the router's alias. */
export const ROLLOUT_CHECK_ACTIONS = ['lambda:GetAlias'];

/** The recorder reads the behaviour document of the release, and no other object. */
export const BEHAVIOR_ACTIONS = ['s3:GetObject'];
