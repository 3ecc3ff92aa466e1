import { runInContainers } from '../containers';
import { LONG_DRILL_TIMEOUT_MS, verdicts } from '../run-named-drill';

test(
  'fargate: in containers too a good release is promoted, and a broken one is rolled back by the intended gates',
  async () => {
    const [report, workers] = await runInContainers('fargate');
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
