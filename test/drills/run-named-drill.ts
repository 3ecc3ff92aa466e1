import { DRILLS } from '../../rehearsal/catalog';
import { packageRoot } from '../../rehearsal/core/package-root';
import { type DrillReport, runDrill, withTasks } from '../../rehearsal/drill';
import { DEFAULT_SPEED } from '../../rehearsal/drill/scenario/scenario';

/** Timeout of a drill in a test, in milliseconds: a busy machine needs several times as long as an idle one. */
export const DRILL_TIMEOUT_MS = 240_000;

/** The same for drills with many hundred tasks, which mostly wait for a processor. */
export const LONG_DRILL_TIMEOUT_MS = 400_000;

/** Values that replace those of the drill. */
export interface DrillOverrides {
  /** As `--seed`. */
  readonly seed?: number;
  /** As `--tasks`. */
  readonly tasks?: number;
  /** Requests per real second. */
  readonly ratePerSecond?: number;
  /** Divides the drill's speed. @default 1 */
  readonly slowdown?: number;
}

/**
 * Runs the checks of a drill whose gates judge within a few real seconds, and once more at half the speed if they fail: on a
 * busy machine so few tasks end in a minute of the cloud that a gate has nothing to judge.
 */
export async function retrySlower(check: (overrides: DrillOverrides) => Promise<void>): Promise<void> {
  try {
    await check({});
  } catch (error) {
    console.warn(`the drill failed at its speed and runs again at half of it: ${String(error)}`);
    await check({ slowdown: 2 });
  }
}

/** Runs a drill of the repository as `npm run drill` does, and expects that every invariant holds. */
export async function runNamedDrill(
  name: string,
  { seed, tasks, ratePerSecond, slowdown = 1 }: DrillOverrides = {},
): Promise<DrillReport> {
  const drill = DRILLS.find((candidate) => candidate.name === name);
  if (drill === undefined) {
    throw new Error(`unknown drill ${name}`);
  }
  const scenario = withTasks(await drill.scenario(), tasks);
  const { traffic } = scenario;
  const report = await runDrill({
    scenario:
      traffic === undefined || ratePerSecond === undefined
        ? scenario
        : { ...scenario, traffic: { ...traffic, ratePerSecond } },
    seed,
    speed: (scenario.speed ?? DEFAULT_SPEED) / slowdown,
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

export type WorkersReport = NonNullable<DrillReport['workers']>;

/** Runs a drill with workers in containers. @returns its report, and the part about the workers */
export async function runContainerDrill(name: string, tasks?: number): Promise<[DrillReport, WorkersReport]> {
  const report = await runNamedDrill(name, tasks === undefined ? {} : { tasks });
  expect(report.tasks).toMatchObject({ lost: 0, duplicateResults: 0 });
  if (report.workers === undefined) {
    throw new Error(`no worker of drill ${name} ran in a container`);
  }
  return [report, report.workers];
}
