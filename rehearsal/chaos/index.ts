export { FaultPlan, type FaultReport, type FaultSettings } from './fault-plan';
export { FAULT_KINDS, type FaultKind, type FaultRates, faultRatesSchema } from './fault-rates';
