import { DRILLS } from '../../rehearsal/catalog';
import { packageRoot } from '../../rehearsal/core/package-root';
import { type DrillReport, runDrill, withTasks } from '../../rehearsal/drill';

/** Longest that a drill may take in a test, in milliseconds: a busy machine needs several times what a calm one does. */
export const DRILL_TIMEOUT_MS = 240_000;

/** The same for drills of many hundred tasks, which mostly wait for a processor. */
export const LONG_DRILL_TIMEOUT_MS = 400_000;

/** What a test takes otherwise than the drill has it. */
export interface DrillChanges {
  /** As `--seed`. */
  readonly seed?: number;
  /** As `--tasks`. */
  readonly tasks?: number;
  /** Requests per real second. */
  readonly ratePerSecond?: number;
}

/** Runs a drill of the repository as `npm run drill` does, and holds it to its invariants. */
export async function runNamedDrill(
  name: string,
  { seed, tasks, ratePerSecond }: DrillChanges = {},
): Promise<DrillReport> {
  const drill = DRILLS.find((candidate) => candidate.name === name);
  if (drill === undefined) {
    throw new Error(`there is no drill ${name}`);
  }
  const scenario = withTasks(await drill.scenario(), tasks);
  const { traffic } = scenario;
  const report = await runDrill({
    scenario:
      traffic === undefined || ratePerSecond === undefined
        ? scenario
        : { ...scenario, traffic: { ...traffic, ratePerSecond } },
    seed,
    directory: packageRoot(),
    signal: new AbortController().signal,
    progress: { log: () => undefined },
  });
  expect(report.invariants.filter((invariant) => !invariant.held)).toEqual([]);
  expect(report.passed).toBe(true);
  return report;
}

export function verdicts(report: DrillReport): Record<string, string> {
  return Object.fromEntries(report.releases.map((release) => [release.name, release.verdict]));
}
