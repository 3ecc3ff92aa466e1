import { type DrillReport, runDrill, SILENT, withTasks } from '../../rehearsal/drill';
import { DRILLS } from '../../rehearsal/drills';
import { packageRoot } from '../../rehearsal/drills/package-root';

/** Longest that a drill may take in a test, in milliseconds: a busy machine needs several times what a calm one does. */
export const DRILL_TIMEOUT_MS = 240_000;

/** The same for drills of many hundred tasks, which mostly wait for a processor. */
export const LONG_DRILL_TIMEOUT_MS = 400_000;

/**
 * Runs a drill of the repository as `npm run drill` does, and holds it to its invariants.
 *
 * @param seed as `--seed`
 * @param tasks as `--tasks`
 */
export async function runNamedDrill(name: string, seed?: number, tasks?: number): Promise<DrillReport> {
  const drill = DRILLS.find((candidate) => candidate.name === name);
  if (drill === undefined) {
    throw new Error(`there is no drill ${name}`);
  }
  const report = await runDrill({
    scenario: withTasks(await drill.scenario(), tasks),
    ...(seed === undefined ? {} : { seed }),
    directory: packageRoot(),
    signal: new AbortController().signal,
    progress: SILENT,
  });
  expect(report.invariants.filter((invariant) => !invariant.held)).toEqual([]);
  expect(report.passed).toBe(true);
  return report;
}

export function verdicts(report: DrillReport): Record<string, string> {
  return Object.fromEntries(report.releases.map((release) => [release.name, release.verdict]));
}
