import { DRILL_TIMEOUT_MS, runNamedDrill, verdicts } from './run-named-drill';

/** Runs the drill of a gate as a test: the release that breaks only its limit is rolled back by that gate and no other. */
export function testGate(drill: string, gate: string): void {
  test(
    `${drill}: a release that breaks only this limit is rolled back by this gate and no other`,
    async () => {
      const report = await runNamedDrill(drill);
      expect(verdicts(report)).toEqual({ good: 'promoted', broken: 'rolled_back' });
      const broken = report.releases[1];
      const firing = broken?.gates.filter(({ state }) => state === 'ALARM').map(({ name }) => name);
      expect(firing).toEqual([gate]);
      expect(broken?.usersOnCandidate).toBeGreaterThan(0);
      expect(broken?.usersOnCandidate).toBeLessThan(broken?.usersTotal ?? 0);
      expect(broken?.tasks.candidate).toBeGreaterThan(0);
    },
    DRILL_TIMEOUT_MS,
  );
}
