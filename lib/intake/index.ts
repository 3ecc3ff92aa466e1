export type { BacklogLimits } from './backlog-limits';
export {
  type IIntake,
  Intake,
  type IntakeAttributes,
  type IntakeOptions,
  type IntakeProps,
  type IntakeWebhooks,
} from './intake';
export * from './intake-auth';
