import fc from 'fast-check';
import { PRIORITIES } from '../../../../lib/contract';
import { type Arrival, PollerWorld } from './support/poller-world';

/** A stream of numbers from 0 up to 1, the same for the same seed. */
function streamOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const task = fc.record({
  runsMs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 120_000 })),
  ends: fc.constantFrom('delete', 'delete', 'delete', 'leave', 'throws'),
  requeueMs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.constant(undefined)),
});

const arrivals: fc.Arbitrary<readonly Arrival[]> = fc.array(
  fc.record({ at: fc.integer({ min: 0, max: 90_000 }), priority: fc.constantFrom(...PRIORITIES), task }),
  { maxLength: 25 },
);

const chance = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.6, noNaN: true }));

/** Longest time from the last task's end until ECS is told: a round of polls, and the slowest of each call on the way. */
const IDLE_BOUND_MS = 2_500;

const SLICE_MS = 250;

test('whatever comes, and whenever the container is told to stop, no message is lost, run twice at once or deleted too early', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      arrivals,
      fc.integer({ min: 0, max: 100_000 }),
      fc.integer({ min: 500, max: 110_000 }),
      fc.record({ failing: chance, refusing: chance, unavailable: chance }),
      fc.integer(),
      async (slots, coming, stopAt, graceMs, faults, seed) => {
        const world = new PollerWorld({ slots, arrivals: coming, random: streamOf(seed), ...faults });
        const { clock, poller } = world;
        let ended = false;
        const run = poller.run().then(() => {
          ended = true;
        });
        const watched = async (milliseconds: number) => {
          for (let passed = 0; passed < milliseconds && !ended; passed += SLICE_MS) {
            await clock.advance(Math.min(SLICE_MS, milliseconds - passed));
            if (world.isProtected && world.running === 0 && clock.now() - world.idleSince > IDLE_BOUND_MS) {
              // Protection that was asked for before polling, after a refusal, has until the end of the round.
              const since = clock.now();
              await clock.advance(IDLE_BOUND_MS);
              if (world.isProtected && world.running === 0 && world.idleSince < since) {
                world.broken.push('the task stays protected, and has no work');
              }
            }
          }
        };
        await watched(stopAt);
        const begunBefore = world.begun.length;
        poller.stop();
        await watched(graceMs);
        poller.requeue();
        poller.abortPolls();
        // Tasks that do not listen run to their end: the longest of them.
        await watched(400_000);
        expect(ended).toBe(true);
        await run;

        expect(world.broken).toEqual([]);
        expect(world.running).toBe(0);
        expect(world.isProtected).toBe(false);
        expect(world.begun).toHaveLength(begunBefore);
        for (const receipt of world.receipts) {
          // Each receive ends in one of three ways. A message that is left comes back by itself.
          expect([receipt.run === true, receipt.returned === true].filter(Boolean)).toHaveLength(1);
          expect(receipt.deleted === true).toBe(receipt.run === true && receipt.ended === true);
        }
      },
    ),
    { numRuns: 120 },
  );
}, 240_000);

test('what comes to a container that works is done, and nothing is asked for in vain', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), arrivals, fc.integer(), async (slots, coming, seed) => {
      const good = coming.map((arrival) => ({
        ...arrival,
        task: { runsMs: arrival.task.runsMs % 2_000, ends: 'delete' } as const,
      }));
      const world = new PollerWorld({ slots, arrivals: good, random: streamOf(seed) });
      const run = world.poller.run();
      await world.clock.advance(300_000);
      expect(world.left).toBe(0);
      expect(world.broken).toEqual([]);
      world.poller.stop();
      await world.clock.advance(30_000);
      await run;
      expect(world.calls.delete).toBe(coming.length);
      expect(world.lostToAbort).toBe(0);
    }),
    { numRuns: 40 },
  );
}, 240_000);

test('a task of low priority begins within a bound, however many urgent ones wait', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer(),
      async (slots, runsMs, seed) => {
        const urgent = { runsMs, ends: 'delete' } as const;
        const world = new PollerWorld({ slots, arrivals: [], random: streamOf(seed), slowest: 20 });
        const flood = () => {
          while (world.waiting('high') < 30) {
            world.arrive('high', urgent);
          }
        };
        flood();
        const run = world.poller.run();
        await world.clock.advance(3 * runsMs);
        world.arrive('low', { runsMs: 10, ends: 'delete' });
        const before = world.begun.length;
        for (let slice = 0; slice < 200 && !world.begun.includes('low'); slice += 1) {
          flood();
          await world.clock.advance(runsMs);
        }
        const others = world.begun.indexOf('low') - before;
        world.poller.stop();
        await world.clock.advance(60_000);
        await run;
        // Its share is 15 %: first in one of 8 rounds at the latest, and a round begins as many tasks as there are slots.
        expect(others).toBeGreaterThanOrEqual(-1);
        expect(others).toBeLessThanOrEqual(8 * slots);
      },
    ),
    { numRuns: 60 },
  );
}, 240_000);
