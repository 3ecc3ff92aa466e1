import { LONG_DRILL_TIMEOUT_MS, runContainerDrill, verdicts } from '../run-named-drill';

test(
  'fargate: a good release is promoted, and gates roll back a regressed one',
  async () => {
    const [report, workers] = await runContainerDrill('fargate');
    expect(report.tasks.submitted).toBeGreaterThanOrEqual(2_000);
    expect(verdicts(report)).toEqual({ first: 'promoted', regressed: 'rolled_back', improved: 'promoted' });
    const regressed = report.releases[1];
    const firing = regressed?.gates.filter(({ state }) => state === 'ALARM').map(({ name }) => name);
    expect(firing).toContain('cost');
    expect(regressed?.usersOnCandidate).toBeGreaterThan(0);
    expect(regressed?.usersOnCandidate).toBeLessThan((regressed?.usersTotal ?? 0) / 2);
    expect(workers.requeued).toBe(0);
  },
  LONG_DRILL_TIMEOUT_MS,
);
