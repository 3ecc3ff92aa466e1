export { Intake, type IntakeOptions, type IntakeProps } from './intake';
export * from './intake-auth';
