/** Every action that this folder grants. */

/** The worker, on the one configuration of its agent. */
export const READ_FLAGS_ACTIONS = ['appconfig:StartConfigurationSession', 'appconfig:GetLatestConfiguration'];

/** AppConfig, through the role of the monitors: without a resource, for the action knows none below an account's alarms. */
export const MONITOR_ACTIONS = ['cloudwatch:DescribeAlarms'];
