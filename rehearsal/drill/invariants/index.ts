import type { DrillHistory } from '../report/history';
import {
  alarmsHaveData,
  everyCallSupported,
  everyModelCallScripted,
  metricLinesWellFormed,
  noCallDenied,
  noResourceLeft,
  stackSettled,
} from './cloud';
import {
  cancellationsKept,
  deadLettersExhausted,
  finishedStepsNotRepeated,
  oneEnd,
  webhooksDelivered,
} from './durability';
import { expectedVerdicts } from './expected-verdicts';
import { circuitBreakerLimitsCalls, failoverLosesNoTask, fallbacksRecorded, primaryRecovers } from './failover';
import { flagsFollowShares } from './flags';
import type { Finding, Invariant } from './invariant';
import { budgetKept, rateLimitKept } from './limits';
import { keysRotated, rotationsComplete, rotationsLoseNoTask } from './rotation';
import {
  candidateLaneEmpty,
  lanesFollowValve,
  oneReleasePerUser,
  releasesRecorded,
  stableAfterRollback,
  withinValve,
} from './routing';
import { noSecretLeaked } from './secrets';
import { everyRequestAccepted, noTaskLost, oneFinalStatus, oneResult, readsAgree, sameKeySameTask } from './tasks';
import { oneTrace } from './traces';
import { busyWorkersNotStopped, stoppedWorkersRequeue, workersScaleWithLoad } from './workers';

export type { Finding, Invariant } from './invariant';

/** All invariants, in the order of the report. */
export const INVARIANTS: readonly Invariant[] = [
  expectedVerdicts,
  stackSettled,
  everyRequestAccepted,
  noTaskLost,
  oneFinalStatus,
  oneResult,
  oneEnd,
  finishedStepsNotRepeated,
  deadLettersExhausted,
  cancellationsKept,
  webhooksDelivered,
  sameKeySameTask,
  readsAgree,
  oneReleasePerUser,
  lanesFollowValve,
  withinValve,
  stableAfterRollback,
  candidateLaneEmpty,
  flagsFollowShares,
  releasesRecorded,
  oneTrace,
  rateLimitKept,
  budgetKept,
  failoverLosesNoTask,
  fallbacksRecorded,
  circuitBreakerLimitsCalls,
  primaryRecovers,
  rotationsComplete,
  rotationsLoseNoTask,
  keysRotated,
  noSecretLeaked,
  busyWorkersNotStopped,
  stoppedWorkersRequeue,
  workersScaleWithLoad,
  noCallDenied,
  everyCallSupported,
  alarmsHaveData,
  metricLinesWellFormed,
  everyModelCallScripted,
  noResourceLeft,
];

export interface InvariantResult extends Finding {
  readonly name: string;
  readonly promise: string;
}

export function checkInvariants(history: DrillHistory): readonly InvariantResult[] {
  return INVARIANTS.map((invariant) => ({
    name: invariant.name,
    promise: invariant.promise,
    ...invariant.check(history),
  }));
}
