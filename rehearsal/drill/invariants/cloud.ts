import { Dimension } from '../../../lib/contract';
import type { DrillHistory } from '../report/history';
import { isSettled } from '../report/outcome';
import { type Invariant, judge, plural } from './invariant';

export const stackSettled: Invariant = {
  name: 'stack-settled',
  promise: 'every deployment ends with the stack wholly updated or wholly put back',
  check: ({ releases }) =>
    judge(
      releases
        .filter((release) => !isSettled(release.stackStatus))
        .map((release) => `${release.name} left the stack in ${release.stackStatus}`),
      plural(releases.length, 'deployment'),
    ),
};

export const nothingDenied: Invariant = {
  name: 'nothing-denied',
  promise: 'no call is denied: the roles of the template allow all that its functions do',
  check: ({ authorization }) =>
    judge(
      [
        ...new Set(
          authorization.denied.map(
            (call) => `${call.principal} may not ${call.action} on ${call.resource} (${call.reason})`,
          ),
        ),
      ],
      plural(authorization.calls, 'call'),
    ),
};

export const everyCallServed: Invariant = {
  name: 'calls-served',
  promise: 'every call reaches a service that is rehearsed: what the code did without one shows nothing about AWS',
  check: ({ refusedCalls, authorization }) =>
    judge(
      Object.entries(refusedCalls).map(([what, count]) => `${what} ${plural(count, 'time')}`),
      plural(authorization.calls, 'call'),
    ),
};

export const alarmsHaveData: Invariant = {
  name: 'alarms-have-data',
  promise: 'no alarm watches a metric that never had data',
  check: (history) => {
    const silent = alarmsWithoutData(history);
    return judge(
      silent,
      history.tasks.length === 0 ? 'not judged: no task ran' : plural(history.alarms.length, 'alarm'),
    );
  },
};

/** Alarms that never had data. Without traffic there is none to have, nor of a lane that got no task. */
export function alarmsWithoutData({ alarms, tasks }: Pick<DrillHistory, 'alarms' | 'tasks'>): readonly string[] {
  const lanes = new Set<string>(tasks.map(({ lane }) => lane));
  const isIdle = ({ [Dimension.LANE]: lane }: Readonly<Record<string, string>>) =>
    lane !== undefined && !lanes.has(lane);
  return tasks.length === 0
    ? []
    : alarms.filter(({ hadData, silent = [{}] }) => !hadData && !silent.every(isIdle)).map(({ name }) => name);
}

export const metricLinesWellFormed: Invariant = {
  name: 'metric-lines',
  promise: 'every metric line that a function logs can be read',
  check: ({ malformedMetricLines: { count, examples } }) =>
    judge(count === 0 ? [] : [`${plural(count, 'line')}: ${examples[0] ?? ''}`], 'all readable'),
};

export const everyModelCallScripted: Invariant = {
  name: 'model-calls-scripted',
  promise: 'every call to the model provider is answered by a rule of the scenario',
  check: ({ provider }) =>
    judge(
      provider.unmatched === 0
        ? []
        : [`${provider.unmatched} of ${plural(provider.requests, 'call')} matched no rule: add one to provider.rules`],
      plural(provider.requests, 'call'),
    ),
};

export const nothingLeft: Invariant = {
  name: 'nothing-left',
  promise: 'after destroy nothing is left but what a removal policy retains',
  check: ({ destruction }) => {
    if (destruction === undefined) {
      return { held: false, detail: 'the stack was not destroyed' };
    }
    return judge(
      [
        ...destruction.failures,
        ...destruction.leftovers.map((name) => `${name} is left`),
        ...(destruction.completed || destruction.failures.length > 0 ? [] : ['the deletion did not complete']),
      ],
      `${plural(destruction.retained.length, 'resource')} retained by policy`,
    );
  },
};
