import { LONG_DRILL_TIMEOUT_MS, runNamedDrill } from '../run-named-drill';

test(
  'budget: past the budget of the day requests are refused and told why, and its alarm fires',
  async () => {
    const { invariants } = await runNamedDrill('budget');
    expect(invariants.find(({ name }) => name === 'budget-kept')?.detail).toMatch(
      /^[1-9]\d* requests? refused, 0\.0[5-7]\d+ US dollars/,
    );
  },
  LONG_DRILL_TIMEOUT_MS,
);
