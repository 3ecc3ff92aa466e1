/** Number of workers of a lane. */
export interface ScalingPlan {
  /** Workers when the lane is idle. */
  readonly min: number;
  /** Minimum number of workers of a lane that has work. */
  readonly floor: number;
  /** Maximum number of workers. */
  readonly max: number;
  /** Messages, waiting or in flight, per running worker. */
  readonly backlogPerWorker: number;
}

/** Number of workers for a load of `from` messages (included) to `to` (excluded; undefined: no upper bound). */
export interface CapacityStep {
  readonly from: number;
  readonly to?: number;
  readonly workers: number;
}

/**
 * A lane scales in only when its load is below this share of `backlogPerWorker` for each running worker. The gap to 1
 * prevents a steady load from adding and removing workers in turn.
 */
export const SCALE_IN_BELOW = 0.6;

/**
 * Maximum number of step adjustments of one policy
 * (https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html).
 */
const MAX_STEPS = 20;

/** Minimum number of workers of a lane that has work. */
export function minRunningTasks({ min, floor }: ScalingPlan): number {
  return Math.max(min, floor);
}

/**
 * Workers by load, for both directions: as many as the upper end of a band needs. All bands grow by the same ratio: the
 * smallest that 20 steps allow, and less than 1 / {@link SCALE_IN_BELOW}. So:
 *
 * - scale out, which happens when the load exceeds the capacity of the running workers, never lowers their number
 * - scale in, which happens below a share of that capacity, never raises it
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

/** Ratios in hundredths, so that rounding of fractions does not change the template. */
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
