import fc from 'fast-check';
import {
  capacitySteps,
  minRunningTasks,
  SCALE_IN_BELOW,
  type ScalingPlan,
  workersFor,
} from '../../../../lib/worker/fargate/scaling-plan';

const plans: fc.Arbitrary<ScalingPlan> = fc
  .record({
    min: fc.integer({ min: 0, max: 50 }),
    floor: fc.integer({ min: 1, max: 50 }),
    more: fc.integer({ min: 0, max: 950 }),
    backlogPerWorker: fc.integer({ min: 1, max: 200 }),
  })
  .map(({ min, floor, more, backlogPerWorker }) => ({
    min,
    floor,
    max: Math.max(min, floor) + more,
    backlogPerWorker,
  }));

const loads = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300_000 }));

/** As the policies have it; no number is a gap between the steps. */
function workers(load: number, plan: ScalingPlan): number {
  const found = workersFor(load, capacitySteps(plan));
  if (found === undefined) {
    throw new Error(`no step for a load of ${load}`);
  }
  return found;
}

test('few workers have a step each', () => {
  expect(capacitySteps({ min: 0, floor: 2, max: 4, backlogPerWorker: 10 })).toEqual([
    { from: 0, to: 1, workers: 0 },
    { from: 1, to: 21, workers: 2 },
    { from: 21, to: 31, workers: 3 },
    { from: 31, workers: 4 },
  ]);
});

test('a lane of one size has one step beside the idle one', () => {
  expect(capacitySteps({ min: 3, floor: 2, max: 3, backlogPerWorker: 5 })).toEqual([
    { from: 0, to: 1, workers: 3 },
    { from: 1, workers: 3 },
  ]);
});

test('there are never more steps than a policy may have, and there is one for each load', () => {
  fc.assert(
    fc.property(plans, loads, (plan, load) => {
      const steps = capacitySteps(plan);
      expect(steps.length).toBeLessThanOrEqual(20);
      expect(steps.filter(({ from, to }) => load >= from && (to === undefined || load < to))).toHaveLength(1);
      expect(steps.slice(1).map(({ from }) => from)).toEqual(steps.slice(0, -1).map(({ to }) => to));
    }),
  );
});

test('no load is left to fewer workers than it needs, but for the most that there may be', () => {
  fc.assert(
    fc.property(plans, loads, (plan, load) => {
      const needed = Math.ceil(load / plan.backlogPerWorker);
      expect(workers(load, plan)).toBeGreaterThanOrEqual(load === 0 ? plan.min : Math.min(needed, plan.max));
      expect(workers(load, plan)).toBeLessThanOrEqual(plan.max);
      if (load > 0) {
        expect(workers(load, plan)).toBeGreaterThanOrEqual(minRunningTasks(plan));
      }
    }),
  );
});

test('scaling out never lowers the number of workers', () => {
  fc.assert(
    fc.property(plans, loads, fc.integer({ min: 0, max: 1_200 }), (plan, load, running) => {
      fc.pre(load > plan.backlogPerWorker * running && running < plan.max);
      expect(workers(load, plan)).toBeGreaterThan(running);
    }),
    { numRuns: 1_000 },
  );
});

test('scaling in never raises the number of workers', () => {
  fc.assert(
    fc.property(
      plans,
      fc.integer({ min: 1, max: 1_200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (plan, running, share) => {
        const load = Math.floor(share * SCALE_IN_BELOW * plan.backlogPerWorker * running);
        fc.pre(load < SCALE_IN_BELOW * plan.backlogPerWorker * running);
        fc.pre(running > (load === 0 ? plan.min : minRunningTasks(plan)));
        expect(workers(load, plan)).toBeLessThanOrEqual(running);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('a constant load adds no worker that is then removed', () => {
  fc.assert(
    fc.property(plans, fc.integer({ min: 1, max: 200_000 }), (plan, load) => {
      const running = workers(load, plan);
      // Whatever scaling in makes of it is what there is already.
      if (load < SCALE_IN_BELOW * plan.backlogPerWorker * running) {
        expect(workers(load, plan)).toBe(running);
      }
    }),
  );
});
