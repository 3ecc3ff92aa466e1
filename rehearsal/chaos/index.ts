export { FaultPlan, type FaultReport, type FaultSettings, type FreezeWindow } from './fault-plan';
export { FAULT_KINDS, type FaultKind, type FaultRates, faultRatesSchema } from './fault-rates';
