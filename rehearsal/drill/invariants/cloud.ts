import { Dimension } from '../../../lib/contract';
import type { DrillHistory } from '../report/history';
import { isSettled } from '../report/outcome';
import { findingOf, type Invariant, plural } from './invariant';

export const stackSettled: Invariant = {
  name: 'stack-settled',
  promise: 'every deployment ends with the stack completely updated or completely rolled back',
  check: ({ releases }) =>
    findingOf(
      releases
        .filter((release) => !isSettled(release.stackStatus))
        .map((release) => `${release.name} ended with the stack in ${release.stackStatus}`),
      plural(releases.length, 'deployment'),
    ),
};

export const noCallDenied: Invariant = {
  name: 'no-call-denied',
  promise: 'no call is denied: the roles in the template allow every call of their functions',
  check: ({ authorization }) =>
    findingOf(
      [
        ...new Set(
          authorization.denied.map(
            (call) => `${call.principal} is not allowed to call ${call.action} on ${call.resource} (${call.reason})`,
          ),
        ),
      ],
      plural(authorization.calls, 'call'),
    ),
};

export const everyCallSupported: Invariant = {
  name: 'calls-supported',
  promise: 'the rehearsal supports every call that the code makes',
  check: ({ refusedCalls, authorization }) =>
    findingOf(
      Object.entries(refusedCalls).map(([what, count]) => `${what} ${plural(count, 'time')}`),
      plural(authorization.calls, 'call'),
    ),
};

export const alarmsHaveData: Invariant = {
  name: 'alarms-have-data',
  promise: 'no alarm watches a metric that never had data',
  check: (history) => {
    const silent = alarmsWithoutData(history);
    return findingOf(
      silent,
      history.tasks.length === 0 ? 'not checked: no task ran' : plural(history.alarms.length, 'alarm'),
    );
  },
};

/** Alarms whose metrics never had data. Alarms of a lane without tasks, and all alarms of a run without traffic, do not count. */
export function alarmsWithoutData({ alarms, tasks }: Pick<DrillHistory, 'alarms' | 'tasks'>): readonly string[] {
  const lanes = new Set<string>(tasks.map(({ lane }) => lane));
  const isIdle = ({ [Dimension.LANE]: lane }: Readonly<Record<string, string>>) =>
    lane !== undefined && !lanes.has(lane);
  return tasks.length === 0
    ? []
    : alarms.filter(({ hadData, silent = [{}] }) => !hadData && !silent.every(isIdle)).map(({ name }) => name);
}

export const metricLinesWellFormed: Invariant = {
  name: 'metric-lines-valid',
  promise: 'every metric line in the logs of a function is valid',
  check: ({ malformedMetricLines: { count, examples } }) =>
    findingOf(count === 0 ? [] : [`${plural(count, 'line')}: ${examples[0] ?? ''}`], 'all valid'),
};

export const everyModelCallScripted: Invariant = {
  name: 'model-calls-scripted',
  promise: 'a rule of the scenario answers every call to the model provider',
  check: ({ provider }) =>
    findingOf(
      provider.unmatched === 0
        ? []
        : [`${provider.unmatched} of ${plural(provider.requests, 'call')} matched no rule: add one to provider.rules`],
      plural(provider.requests, 'call'),
    ),
};

export const noResourceLeft: Invariant = {
  name: 'no-resource-left',
  promise: 'after the stack is destroyed, only resources with a retain policy are left',
  check: ({ destruction }) => {
    if (destruction === undefined) {
      return { held: false, detail: 'the stack was not destroyed' };
    }
    return findingOf(
      [
        ...destruction.failures,
        ...destruction.leftovers.map((name) => `${name} is left`),
        ...(destruction.completed || destruction.failures.length > 0 ? [] : ['the deletion did not complete']),
      ],
      `${plural(destruction.retained.length, 'resource')} retained by policy`,
    );
  },
};
