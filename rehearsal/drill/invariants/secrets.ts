import { findingOf, type Invariant, plural } from './invariant';

export const noSecretLeaked: Invariant = {
  name: 'no-secret-leaked',
  promise: 'no secret is in a log, a trace, a table, a queue or the report',
  check: ({ leaks }) => {
    if (leaks === undefined) {
      return { held: true, detail: 'not checked: the scenario has no secret to search for' };
    }
    const { secrets, searched, found } = leaks;
    return findingOf(
      [
        ...found.map((place) => `a secret is in ${place}`),
        // A search in an empty place would show nothing.
        ...(['lines', 'traces', 'items'] as const).flatMap((kind) =>
          searched[kind] === 0 ? [`no ${kind} to search`] : [],
        ),
      ],
      `${plural(secrets, 'secret')} in none of ${searched.lines} log lines, ${searched.traces} traces, ${searched.items} items`,
    );
  },
};
