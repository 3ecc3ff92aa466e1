import { LONG_DRILL_TIMEOUT_MS, runNamedDrill } from '../run-named-drill';

test(
  'budget: when the daily budget is used up, requests are refused with the reason, and its alarm fires',
  async () => {
    const { invariants } = await runNamedDrill('budget');
    expect(invariants.find(({ name }) => name === 'budget-kept')?.detail).toMatch(
      /^[1-9]\d* requests? refused, 0\.0[5-7]\d+ US dollars/,
    );
  },
  LONG_DRILL_TIMEOUT_MS,
);
