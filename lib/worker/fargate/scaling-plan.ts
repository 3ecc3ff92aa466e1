/** How many workers a lane is to have. */
export interface ScalingPlan {
  /** Workers when the lane is idle. */
  readonly min: number;
  /** Fewest workers of a lane that has work. */
  readonly floor: number;
  readonly max: number;
  /** Messages, waiting or in work, that one worker is there for. */
  readonly backlogPerWorker: number;
}

/** So many workers for a load of `from` messages (included) to `to` (excluded; undefined: any more). */
export interface CapacityStep {
  readonly from: number;
  readonly to?: number;
  readonly workers: number;
}

/**
 * A lane scales in only when its load is below this share of what its workers are there for. The gap to 1 is what keeps a
 * steady load from adding a worker and taking it away again.
 */
export const SCALE_IN_BELOW = 0.6;

/**
 * Step adjustments that one policy may have
 * (https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html).
 */
const MAX_STEPS = 20;

/** Fewest workers of a lane that has work. */
export function minRunningTasks({ min, floor }: ScalingPlan): number {
  return Math.max(min, floor);
}

/**
 * Workers by load, for both directions: as many as the upper end of a band needs. Bands grow by the same ratio, as little
 * as 20 steps allow, and by less than 1 / {@link SCALE_IN_BELOW}. So:
 *
 * - scaling out, which happens when the load exceeds what the running workers are there for, never lowers their number
 * - scaling in, which happens below the share of that, never raises it
 */
export function capacitySteps(plan: ScalingPlan): CapacityStep[] {
  const { backlogPerWorker, min } = plan;
  const idle: CapacityStep = { from: 0, to: 1, workers: min };
  const bands = workersOfBands(minRunningTasks(plan), plan.max);
  return [
    idle,
    ...bands.map((workers, index) => ({
      from: (bands[index - 1] ?? 0) * backlogPerWorker + 1,
      ...(index === bands.length - 1 ? {} : { to: workers * backlogPerWorker + 1 }),
      workers,
    })),
  ];
}

/** Workers for a load, as the policies have it. */
export function workersFor(load: number, steps: readonly CapacityStep[]): number | undefined {
  return steps.find(({ from, to }) => load >= from && (to === undefined || load < to))?.workers;
}

/** In hundredths, so that no sum of fractions decides what a template looks like. */
function workersOfBands(first: number, max: number): number[] {
  for (let percent = 100; ; percent++) {
    const bands = [first];
    for (let last = first; last < max; ) {
      last = Math.min(max, Math.max(last + 1, Math.floor((last * percent) / 100)));
      bands.push(last);
    }
    if (bands.length < MAX_STEPS) {
      return bands;
    }
  }
}
