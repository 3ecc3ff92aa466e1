import { LONG_DRILL_TIMEOUT_MS, runNamedDrill } from '../run-named-drill';

test(
  'rate-limit: eight workers keep and use a shared rate limit, and no task fails because of it',
  async () => {
    const { invariants } = await runNamedDrill('rate-limit');
    expect(invariants.find(({ name }) => name === 'rate-limit-kept')?.detail).toMatch(
      /^\d+ calls, \d+ in the busiest minute, 9\d % of 60/,
    );
  },
  LONG_DRILL_TIMEOUT_MS,
);
