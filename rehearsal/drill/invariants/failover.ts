import type { DrillHistory, FailoverHistory } from '../report/history';
import { type Finding, findingOf, type Invariant, plural } from './invariant';

/** Share of the tasks that ended last: the primary must have answered them. */
const RECOVERED_SHARE = 0.1;

/** Share of the fallbacks' answers that tasks must record: a late result is not written. */
const MIN_RECORDED_SHARE = 0.95;

export const failoverLosesNoTask: Invariant = {
  name: 'failover-loses-no-task',
  promise: 'no task fails during an outage of the primary model',
  check: (history) =>
    withFailover(history, () =>
      findingOf(
        history.tasks.filter(({ status }) => status !== 'succeeded').map(({ id, status }) => `task ${id} is ${status}`),
        `all ${plural(history.tasks.length, 'task')} succeeded`,
      ),
    ),
};

export const fallbacksRecorded: Invariant = {
  name: 'fallbacks-recorded',
  promise: 'the record of every task names the models that answered',
  check: (history) =>
    withFailover(history, ({ model, fallbackAnswers, unusedRules }) => {
      const recorded = history.tasks
        .flatMap(({ models = {} }) => Object.entries(models))
        .reduce((sum, [id, count]) => (id === model ? sum : sum + count), 0);
      const silent = history.tasks.filter(({ status, models }) => status === 'succeeded' && models === undefined);
      return findingOf(
        [
          ...silent.map(({ id }) => `task ${id} does not name the model that answered`),
          ...unusedRules.map((rule) => `rule ${rule} never answered`),
          ...(recorded > fallbackAnswers || recorded < fallbackAnswers * MIN_RECORDED_SHARE
            ? [`tasks record ${plural(recorded, 'answer')} of fallbacks, expected ${fallbackAnswers}`]
            : []),
        ],
        `${recorded} of ${plural(fallbackAnswers, 'answer')} of fallbacks`,
      );
    }),
};

export const circuitBreakerLimitsCalls: Invariant = {
  name: 'circuit-breaker-limits-calls',
  promise: 'during an outage only a few calls reach the primary: the circuit breaker stops the others',
  check: (history) =>
    withFailover(history, ({ failures, maxFailures }) =>
      findingOf(
        [
          ...(failures === 0 ? ['the primary never failed'] : []),
          ...(failures > maxFailures ? [`the primary failed ${failures} calls, expected at most ${maxFailures}`] : []),
        ],
        `${plural(failures, 'call')} failed, at most ${maxFailures} allowed`,
      ),
    ),
};

export const primaryRecovers: Invariant = {
  name: 'primary-recovers',
  promise: 'the primary is used again after its outage',
  check: (history) =>
    withFailover(history, ({ model }) => {
      const ended = history.tasks
        .filter(({ models }) => models !== undefined)
        .sort((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0));
      const last = ended.slice(-Math.max(1, Math.ceil(ended.length * RECOVERED_SHARE)));
      return findingOf(
        last
          .filter(({ models = {} }) => models[model] === undefined)
          .map(
            ({ id, models = {} }) => `task ${id}, one of the last, was answered by ${Object.keys(models).join(', ')}`,
          ),
        `the last ${plural(last.length, 'task')} were answered by ${model}`,
      );
    }),
};

function withFailover({ failover }: DrillHistory, check: (failover: FailoverHistory) => Finding): Finding {
  return failover === undefined ? { held: true, detail: 'not checked: the scenario has no outage' } : check(failover);
}
