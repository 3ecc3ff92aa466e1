import type { PromotedItem } from '../../../lib/contract';
import type { DeploymentView, DeployResult } from '../../cloud';
import { describeGate, type Gate } from '../observe/gates';
import type { ScenarioRelease } from '../scenario/scenario';
import type { GateReading, ReleaseHistory } from './history';
import { type DeploymentFacts, outcomeOf, shiftSecondsOf, valvePeriods } from './outcome';

/** What was seen of one deployment. Times are cloud milliseconds since 1970. */
export interface ObservedDeployment {
  readonly release: ScenarioRelease;
  /** Release id in the template. */
  readonly id: string | undefined;
  readonly first: boolean;
  readonly result: DeployResult;
  readonly shift: DeploymentView | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
  /** What was promoted when it had ended. */
  readonly promoted: PromotedItem | undefined;
  readonly gates: readonly Gate[];
  readonly readings: readonly GateReading[];
  /** Whether a change of the flags reached workers. */
  readonly flagsDeployed: boolean;
  /** What a hook that failed had to say. */
  readonly finding: string | undefined;
  readonly speed: number;
}

export function releaseHistory(seen: ObservedDeployment): ReleaseHistory {
  const { release, id, result, shift, promoted } = seen;
  const stoppedBy = (shift?.alarms ?? []).map(
    (alarm) => seen.gates.find((gate) => gate.alarm === alarm)?.name ?? alarm,
  );
  const isPromoted = promoted !== undefined && promoted.target.release === id && promoted.promotedAt >= seen.startedAt;
  const facts: DeploymentFacts = {
    status: result.status,
    failure: result.reason,
    startedAt: seen.startedAt,
    endedAt: seen.endedAt,
    shift:
      shift === undefined
        ? undefined
        : { steps: shift.shifts, endedAt: shift.endedAt, stoppedFor: stoppedFor(seen, shift, stoppedBy) },
    flagsDeployed: seen.flagsDeployed,
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
    first: seen.first,
    changed: result.changes.map((change) => `${change.path} (${change.action})`),
    startedAt: seen.startedAt,
    endedAt: seen.endedAt,
    routerVersion: shift?.toVersion,
    valve: valvePeriods(facts),
    stackStatus: result.status,
    stoppedBy,
    gates: seen.readings,
    shiftSeconds: shiftSecondsOf(facts, seen.speed),
    candidateBacklog: 0,
  };
}

/** The gates with what they said, or the finding of the hook that failed. */
function stoppedFor(
  { readings, finding }: ObservedDeployment,
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
  return hook === undefined || finding === undefined ? [] : [`${hook.name}: ${finding}`];
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
