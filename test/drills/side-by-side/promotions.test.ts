import { DRILL_TIMEOUT_MS, runNamedDrill, verdicts } from '../run-named-drill';

test(
  'two-in-a-row: both are promoted',
  async () => {
    const report = await runNamedDrill('two-in-a-row');
    expect(verdicts(report)).toEqual({ good: 'promoted', better: 'promoted', best: 'promoted' });
    expect(new Set(report.releases.map(({ id }) => id)).size).toBe(3);
  },
  DRILL_TIMEOUT_MS,
);

test(
  'no-change: the second deployment changes nothing',
  async () => {
    const report = await runNamedDrill('no-change');
    const [first, again] = report.releases;
    expect(again).toMatchObject({ id: first?.id, verdict: 'promoted', reason: 'nothing to change', shiftSeconds: 0 });
  },
  DRILL_TIMEOUT_MS,
);
