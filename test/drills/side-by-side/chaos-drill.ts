import { chaos } from '../../../rehearsal/catalog/chaos';
import { runNamedDrill, verdicts } from '../run-named-drill';

/** A thousand tasks, which mostly wait for a processor. */
const TIMEOUT_MS = 400_000;

/** A test that runs the chaos drill. Each seed has its own file, so that two can run at once. */
export function testChaosDrill(seed: number): void {
  test(
    `chaos, seed ${seed}: every task ends once, and no finished step runs again`,
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
