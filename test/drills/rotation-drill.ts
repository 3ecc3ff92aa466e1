import { type DrillOverrides, LONG_DRILL_TIMEOUT_MS, runNamedDrill } from './run-named-drill';

/** A test that runs the rotation drill. */
export function testRotationDrill(tasks: number, overrides: DrillOverrides = {}): void {
  test(
    `rotation: no task of ${tasks} fails while keys rotate and the key in use is revoked`,
    async () => {
      const report = await runNamedDrill('rotation', { ...overrides, tasks });
      expect(report.tasks.submitted).toBeGreaterThanOrEqual(tasks);
      expect(report.tasks).toMatchObject({ failed: 0, lost: 0 });
      const detail = report.invariants.find(({ name }) => name === 'keys-rotated')?.detail;
      expect(detail).toMatch(/^4 keys in turn, [1-9]\d* refusals?; 4 service accounts created, 1 left$/);
    },
    LONG_DRILL_TIMEOUT_MS,
  );
}
