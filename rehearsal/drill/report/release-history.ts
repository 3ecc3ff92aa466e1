import type { PromotedItem } from '../../../lib/contract';
import type { DeploymentView, DeployResult } from '../../cloud';
import { describeGate, type Gate } from '../observe/gates';
import type { ScenarioRelease } from '../scenario/scenario';
import type { GateReading, ReleaseHistory } from './history';
import { type DeploymentFacts, outcomeOf, shiftSecondsOf, valvePeriods } from './outcome';

/** Observations of one deployment. Times are cloud milliseconds since 1970. */
export interface ObservedDeployment {
  readonly release: ScenarioRelease;
  /** Release id in the template. */
  readonly id: string | undefined;
  readonly first: boolean;
  readonly result: DeployResult;
  readonly shift: DeploymentView | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
  /** The promoted item at the end of the deployment. */
  readonly promoted: PromotedItem | undefined;
  readonly gates: readonly Gate[];
  readonly readings: readonly GateReading[];
  /** Whether a change of the flags reached workers. */
  readonly flagsDeployed: boolean;
  /** Reason of the hook that failed, from its log. */
  readonly hookFailure: string | undefined;
  readonly speed: number;
}

export function releaseHistory(observed: ObservedDeployment): ReleaseHistory {
  const { release, id, result, shift, promoted } = observed;
  const stoppedBy = (shift?.alarms ?? []).map(
    (alarm) => observed.gates.find((gate) => gate.alarm === alarm)?.name ?? alarm,
  );
  const isPromoted =
    promoted !== undefined && promoted.target.release === id && promoted.promotedAt >= observed.startedAt;
  const facts: DeploymentFacts = {
    status: result.status,
    failure: result.reason,
    startedAt: observed.startedAt,
    endedAt: observed.endedAt,
    shift:
      shift === undefined
        ? undefined
        : { steps: shift.shifts, endedAt: shift.endedAt, stopCauses: stopCauses(observed, shift, stoppedBy) },
    flagsDeployed: observed.flagsDeployed,
    promotedAt: isPromoted ? promoted.promotedAt : undefined,
  };
  return {
    name: release.name,
    id,
    expected: release.expected,
    cause: release.cause,
    expectNoChanges: release.expectNoChanges ?? false,
    ...outcomeOf(facts),
    promotedAfter: promoted?.target.release,
    first: observed.first,
    changed: result.changes.map((change) => `${change.path} (${change.action})`),
    startedAt: observed.startedAt,
    endedAt: observed.endedAt,
    routerVersion: shift?.toVersion,
    valve: valvePeriods(facts),
    stackStatus: result.status,
    stoppedBy,
    gates: observed.readings,
    shiftSeconds: shiftSecondsOf(facts, observed.speed),
    candidateBacklog: 0,
  };
}

/** The gates that fired with their readings, or the failed hook with its reason. */
function stopCauses(
  { readings, hookFailure }: ObservedDeployment,
  shift: DeploymentView,
  stoppedBy: readonly string[],
): readonly string[] {
  if (stoppedBy.length > 0) {
    return stoppedBy.map((name) => {
      const reading = readings.find((candidate) => candidate.name === name);
      return reading === undefined ? `gate ${name} in ALARM` : describeGate(reading);
    });
  }
  const hook = shift.lifecycle.find(({ status, name }) => status === 'Failed' && name !== 'AllowTraffic');
  return hook === undefined || hookFailure === undefined ? [] : [`${hook.name}: ${hookFailure}`];
}

/** A release whose app does not synthesize: nothing was deployed. */
export function refusedAtSynth(
  release: ScenarioRelease,
  reason: string,
  before: ReleaseHistory | undefined,
  now: number,
): ReleaseHistory {
  return {
    name: release.name,
    id: undefined,
    expected: release.expected,
    cause: release.cause,
    expectNoChanges: release.expectNoChanges ?? false,
    verdict: 'refused',
    reason,
    promotedAfter: before?.promotedAfter,
    first: before === undefined,
    changed: [],
    startedAt: now,
    endedAt: now,
    routerVersion: undefined,
    valve: [{ share: 0, from: now, to: Number.POSITIVE_INFINITY }],
    stackStatus: 'NO_CHANGES',
    stoppedBy: [],
    gates: [],
    shiftSeconds: 0,
    candidateBacklog: 0,
  };
}
