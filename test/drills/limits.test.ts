import { LONG_DRILL_TIMEOUT_MS, runNamedDrill } from './run-named-drill';

const detailOf = async (drill: string, invariant: string) =>
  (await runNamedDrill(drill)).invariants.find(({ name }) => name === invariant)?.detail;

test(
  'rate-limit: eight workers keep to a limit together, use it, and no task fails of waiting',
  async () => {
    expect(await detailOf('rate-limit', 'limit-held')).toMatch(/^\d+ calls, \d+ in the busiest minute, 9\d % of 60/);
  },
  LONG_DRILL_TIMEOUT_MS,
);

test(
  'budget: past the budget of the day requests are refused and told why, and its alarm fires',
  async () => {
    expect(await detailOf('budget', 'budget-held')).toMatch(/^[1-9]\d* requests? refused, 0\.0[5-7]\d+ US dollars/);
  },
  LONG_DRILL_TIMEOUT_MS,
);
