export type { BacklogLimits } from './backlog-limits';
export { Intake, type IntakeOptions, type IntakeProps, type IntakeWebhooks } from './intake';
export * from './intake-auth';
