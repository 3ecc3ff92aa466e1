import { DRILL_TIMEOUT_MS, runNamedDrill, verdicts } from '../run-named-drill';

test(
  'flag: the alarm rolls back the flag, and the release does not change',
  async () => {
    const report = await runNamedDrill('flag');
    expect(verdicts(report)).toEqual({
      off: 'promoted',
      'on-for-20-percent': 'rolled_back',
      'off-again': 'promoted',
    });
    expect(new Set(report.releases.map(({ id }) => id)).size).toBe(1);
    expect(report.invariants.find(({ name }) => name === 'flags-follow-shares')?.detail).toContain('careful=true for');
  },
  DRILL_TIMEOUT_MS,
);
