import { chaos } from '../../../rehearsal/catalog/chaos';
import { runNamedDrill, verdicts } from '../run-named-drill';

/** A thousand tasks, and most of the time a processor is what they wait for. */
const TIMEOUT_MS = 400_000;

/** Runs the chaos drill as a test. One file a seed, so that two can run at once. */
export function testChaos(seed: number): void {
  test(
    `chaos, seed ${seed}: every task comes to one end, and nothing that was finished is done again`,
    async () => {
      const report = await runNamedDrill('chaos', { seed });
      expect(report.tasks.submitted).toBeGreaterThanOrEqual(1_000);
      expect(report.tasks).toMatchObject({ lost: 0, duplicateResults: 0 });
      expect(report.steps?.executedAfterFinish).toBe(0);
      expect(report.steps?.replayed).toBeGreaterThan(0);
      expect(verdicts(report)).toEqual({ good: 'promoted', unlucky: 'rolled_back', better: 'promoted' });
      const struck = Object.entries(report.faults?.byKind ?? {}).flatMap(([kind, count]) => (count > 0 ? [kind] : []));
      expect(struck.sort()).toEqual(Object.keys((await chaos.scenario()).chaos ?? {}).sort());
    },
    TIMEOUT_MS,
  );
}
