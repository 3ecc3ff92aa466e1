import { type Invariant, judge, plural } from './invariant';

/**
 * Segments are sent by UDP and nobody waits for them: a busy machine loses some. Share of the tasks of which one may be
 * missing.
 */
const MAX_INCOMPLETE = 0.1;

export const oneTrace: Invariant = {
  name: 'one-trace',
  promise: 'a task is one trace, from its request through queue and worker to its model and tool calls',
  check: ({ faults, traces: { judged, astray, incomplete } }) =>
    faults === undefined
      ? judge(
          [...astray, ...(incomplete.length > judged * MAX_INCOMPLETE ? incomplete : [])],
          `${plural(judged, 'task')}, ${incomplete.length} of them without all segments`,
        )
      : // A request may fail after it has sent its task, and is not logged then; workers that are killed tell nothing.
        { held: true, detail: 'not judged: what fails on purpose leaves traces torn' },
};
