import { fargateChaos } from '../../../rehearsal/drills/containers';
import { LONG_DRILL_TIMEOUT_MS, verdicts } from '../run-named-drill';
import { runInContainers } from './containers';

test(
  'fargate-chaos: every task comes to one end while the containers that run several are killed, frozen and told to stop',
  async () => {
    const [report, workers] = await runInContainers('fargate-chaos');
    expect(report.tasks.submitted).toBeGreaterThanOrEqual(1_000);
    expect(report.steps?.executedAfterFinish).toBe(0);
    expect(report.steps?.replayed).toBeGreaterThan(0);
    expect(verdicts(report)).toEqual({ good: 'promoted', unlucky: 'rolled_back', better: 'promoted' });
    const { byKind = {} } = report.faults ?? {};
    const { chaos } = await fargateChaos.scenario();
    expect(Object.keys(chaos ?? {}).filter((kind) => !((byKind as Record<string, number>)[kind] ?? 0))).toEqual([]);
    expect(workers.handedBack).toBeGreaterThan(0);
  },
  LONG_DRILL_TIMEOUT_MS,
);
