import { DRILL_TIMEOUT_MS, runNamedDrill, verdicts } from '../run-named-drill';

test(
  'two-in-a-row: two good releases in a row are promoted',
  async () => {
    const report = await runNamedDrill('two-in-a-row');
    expect(verdicts(report)).toEqual({ good: 'promoted', better: 'promoted', best: 'promoted' });
    expect(new Set(report.releases.map(({ id }) => id)).size).toBe(3);
  },
  DRILL_TIMEOUT_MS,
);

test(
  'update-fails-after-shift: the stack is rolled back completely',
  async () => {
    const report = await runNamedDrill('update-fails-after-shift');
    expect(verdicts(report)).toEqual({ good: 'promoted', unlucky: 'rolled_back' });
    expect(report.releases[1]?.reason).toContain('the table is throttled');
  },
  DRILL_TIMEOUT_MS,
);
