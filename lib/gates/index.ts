export { type AlarmGateOptions, type GateOptions, GateSeverity } from './gate-options';
export * from './quality-gate';
export * from './quality-gates';
