import { LONG_DRILL_TIMEOUT_MS, retrySlower, runNamedDrill, verdicts } from './run-named-drill';

/** A test that runs a gate's drill: exactly that gate rolls the release back. */
export function testGateDrill(drill: string, gate: string): void {
  test(
    `${drill}: exactly this gate rolls back the broken release`,
    () =>
      retrySlower(async (overrides) => {
        const report = await runNamedDrill(drill, overrides);
        expect(verdicts(report)).toEqual({ good: 'promoted', broken: 'rolled_back' });
        const broken = report.releases[1];
        const firing = broken?.gates.filter(({ state }) => state === 'ALARM').map(({ name }) => name);
        expect(firing).toEqual([gate]);
        expect(broken?.usersOnCandidate).toBeGreaterThan(0);
        expect(broken?.usersOnCandidate).toBeLessThan(broken?.usersTotal ?? 0);
        expect(broken?.tasks.candidate).toBeGreaterThan(0);
      }),
    2 * LONG_DRILL_TIMEOUT_MS,
  );
}
