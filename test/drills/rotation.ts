import { type DrillChanges, LONG_DRILL_TIMEOUT_MS, runNamedDrill } from './run-named-drill';

/** Runs the rotation drill as a test. */
export function testRotation(tasks: number, changes: DrillChanges = {}): void {
  test(
    `keys rotate while ${tasks} tasks run, one is revoked while it is in use, and no task fails`,
    async () => {
      const report = await runNamedDrill('rotation', { ...changes, tasks });
      expect(report.tasks.submitted).toBeGreaterThanOrEqual(tasks);
      expect(report.tasks).toMatchObject({ failed: 0, lost: 0 });
      const detail = report.invariants.find(({ name }) => name === 'keys-rotated')?.detail;
      expect(detail).toMatch(/^4 keys in turn, [1-9]\d* refusals?; 4 service accounts created, 1 left$/);
    },
    LONG_DRILL_TIMEOUT_MS,
  );
}
