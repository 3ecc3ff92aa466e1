import type { DrillHistory, FailoverHistory } from '../report/history';
import { type Finding, type Invariant, judge, plural } from './invariant';

/** Share of the tasks, the last that ended, that must have been answered by the primary again. */
const BACK = 0.1;

/** Share of the fallbacks' answers that must stand in the records of tasks: a result that came late is not written. */
const RECORDED = 0.95;

export const failoverHarmsNobody: Invariant = {
  name: 'failover-harms-nobody',
  promise: 'no task fails while the primary model is away',
  check: (history) =>
    withFailover(history, () =>
      judge(
        history.tasks.filter(({ status }) => status !== 'succeeded').map(({ id, status }) => `task ${id} is ${status}`),
        `all ${plural(history.tasks.length, 'task')} succeeded`,
      ),
    ),
};

export const fallbacksAreRecorded: Invariant = {
  name: 'fallbacks-recorded',
  promise: 'which model answered stands with the task, for every answer',
  check: (history) =>
    withFailover(history, ({ model, fallbackAnswers, silentRules }) => {
      const recorded = history.tasks
        .flatMap(({ models = {} }) => Object.entries(models))
        .reduce((sum, [id, count]) => (id === model ? sum : sum + count), 0);
      const silent = history.tasks.filter(({ status, models }) => status === 'succeeded' && models === undefined);
      return judge(
        [
          ...silent.map(({ id }) => `task ${id} does not say which model answered`),
          ...silentRules.map((rule) => `no answer ever came from ${rule}`),
          ...(recorded > fallbackAnswers || recorded < fallbackAnswers * RECORDED
            ? [`tasks name ${plural(recorded, 'answer')} of fallbacks, which gave ${fallbackAnswers}`]
            : []),
        ],
        `${recorded} of ${plural(fallbackAnswers, 'answer')} of fallbacks`,
      );
    }),
};

export const breakerSparesThePrimary: Invariant = {
  name: 'breaker-spares-the-primary',
  promise: 'a model that is away is asked a few times, and then only to see whether it is back',
  check: (history) =>
    withFailover(history, ({ failures, mostFailures }) =>
      judge(
        [
          ...(failures === 0 ? ['the primary never failed'] : []),
          ...(failures > mostFailures
            ? [`the primary failed ${failures} calls, expected at most ${mostFailures}`]
            : []),
        ],
        `${plural(failures, 'call')} failed, at most ${mostFailures} allowed`,
      ),
    ),
};

export const primaryComesBack: Invariant = {
  name: 'primary-comes-back',
  promise: 'the primary is used again once it answers',
  check: (history) =>
    withFailover(history, ({ model }) => {
      const ended = history.tasks
        .filter(({ models }) => models !== undefined)
        .sort((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0));
      const last = ended.slice(-Math.max(1, Math.ceil(ended.length * BACK)));
      return judge(
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
  return failover === undefined ? { held: true, detail: 'not judged: no model was away' } : check(failover);
}
