import { findingOf, type Invariant, plural } from './invariant';

/** Share of the tasks that may lack a segment: segments are sent by UDP, and a busy machine loses some. */
const MAX_INCOMPLETE_SHARE = 0.1;

export const oneTrace: Invariant = {
  name: 'one-trace',
  promise: 'a task is one trace, from its request through queue and worker to its model and tool calls',
  check: ({ faults, traces: { checked, mismatched, incomplete } }) =>
    faults === undefined
      ? findingOf(
          [...mismatched, ...(incomplete.length > checked * MAX_INCOMPLETE_SHARE ? incomplete : [])],
          `${plural(checked, 'task')}, ${incomplete.length} of them with missing segments`,
        )
      : // A failed request is not logged although it may have sent its task, and killed workers send no segments.
        { held: true, detail: 'not checked: injected faults interrupt traces' },
};
