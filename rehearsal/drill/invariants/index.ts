import type { DrillHistory } from '../report/history';
import {
  alarmsHaveData,
  everyCallServed,
  everyModelCallScripted,
  metricLinesWellFormed,
  nothingDenied,
  nothingLeft,
  stackSettled,
} from './cloud';
import { cancellationsHold, deadLettersAreExhausted, finishedStepsStay, oneEnd, webhooksTell } from './durability';
import { expectedVerdicts } from './expected-verdicts';
import { breakerSparesThePrimary, failoverHarmsNobody, fallbacksAreRecorded, primaryComesBack } from './failover';
import { flagsFollowTheirShares } from './flags';
import type { Finding, Invariant } from './invariant';
import { budgetHeld, limitHeld } from './limits';
import { keysAreUsedAndRevoked, rotationsComplete, rotationsHarmNobody } from './rotation';
import {
  backToStable,
  candidateLaneEmpty,
  lanesFollowTheValve,
  oneReleasePerUser,
  servedByRecordedReleases,
  withinTheValve,
} from './routing';
import { keysStaySecret } from './secrets';
import { everyRequestAccepted, noTaskLost, oneFinalStatus, oneResult, readsAgree, sameKeySameTask } from './tasks';
import { oneTrace } from './traces';
import { busyWorkersStay, lanesFollowTheLoad, toldWorkersHandBack } from './workers';

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
  finishedStepsStay,
  deadLettersAreExhausted,
  cancellationsHold,
  webhooksTell,
  sameKeySameTask,
  readsAgree,
  oneReleasePerUser,
  lanesFollowTheValve,
  withinTheValve,
  backToStable,
  candidateLaneEmpty,
  flagsFollowTheirShares,
  servedByRecordedReleases,
  oneTrace,
  limitHeld,
  budgetHeld,
  failoverHarmsNobody,
  fallbacksAreRecorded,
  breakerSparesThePrimary,
  primaryComesBack,
  rotationsComplete,
  rotationsHarmNobody,
  keysAreUsedAndRevoked,
  keysStaySecret,
  busyWorkersStay,
  toldWorkersHandBack,
  lanesFollowTheLoad,
  nothingDenied,
  everyCallServed,
  alarmsHaveData,
  metricLinesWellFormed,
  everyModelCallScripted,
  nothingLeft,
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
