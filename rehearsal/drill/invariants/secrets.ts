import { type Invariant, judge, plural } from './invariant';

export const keysStaySecret: Invariant = {
  name: 'keys-stay-secret',
  promise: 'no key stands in a log, a trace, a table, a queue, or the report',
  check: ({ leaks }) => {
    if (leaks === undefined) {
      return { held: true, detail: 'not judged: the scenario plants no key' };
    }
    const { secrets, looked, found } = leaks;
    return judge(
      [
        ...found.map((place) => `a key stands in ${place}`),
        // Nothing is shown by looking where nothing is.
        ...(['lines', 'traces', 'items'] as const).flatMap((kind) =>
          looked[kind] === 0 ? [`no ${kind} to look at`] : [],
        ),
      ],
      `${plural(secrets, 'key')} in none of ${looked.lines} log lines, ${looked.traces} traces, ${looked.items} items`,
    );
  },
};
