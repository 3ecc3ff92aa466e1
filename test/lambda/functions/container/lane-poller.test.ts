import { PRIORITIES } from '../../../../lib/contract';
import { PollerWorld, type WorldOptions } from './support/poller-world';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const quick = { runsMs: 100, ends: 'delete' } as const;

async function started(options: Partial<WorldOptions> = {}) {
  const world = new PollerWorld({ slots: 2, arrivals: [], random: () => 0.5, ...options });
  const run = world.poller.run();
  const end = async () => {
    world.poller.stop();
    await world.clock.advance(MINUTE);
    await run;
    expect(world.broken).toEqual([]);
  };
  return { world, run, end };
}

test('an idle container makes three long polls every 20 seconds, 540 calls an hour, and no other', async () => {
  const { world, end } = await started({ slowest: 1 });
  await world.clock.advance(HOUR);
  expect(world.receives[0]).toBe(3);
  expect(world.receives[20]).toBeGreaterThanOrEqual(537);
  expect(world.receives[20]).toBeLessThanOrEqual(540);
  expect(world.calls).toMatchObject({ acquire: 0, delete: 0, requeue: 0 });
  await end();
});

test('a lone task costs a handful of calls: what found it, a look at its queue after it, and its deletion', async () => {
  const { world, end } = await started({ slowest: 1 });
  await world.clock.advance(MINUTE);
  const { receive: before } = world.calls;
  const perMinute = 9;
  world.arrive('normal', quick);
  await world.clock.advance(MINUTE);
  expect(world.calls.receive - before - perMinute).toBeLessThanOrEqual(3);
  expect(world.calls).toMatchObject({ acquire: 1, delete: 1, requeue: 0 });
  await end();
});

test('while SQS is away each queue is asked less and less often, never in a loop', async () => {
  const { world, end } = await started({ failing: 1 });
  await world.clock.advance(MINUTE);
  expect(world.calls.receive).toBeLessThanOrEqual(3 * 7);
  const { receive } = world.calls;
  await world.clock.advance(HOUR);
  // Every 30 to 60 seconds.
  expect(world.calls.receive - receive).toBeLessThanOrEqual(3 * 120);
  expect(world.calls.receive - receive).toBeGreaterThanOrEqual(3 * 59);
  await end();
});

test('a queue that cannot be polled does not keep the others waiting, and is polled again', async () => {
  let failing = true;
  const random = () => (failing ? 0 : 0.5);
  const { world, end } = await started({ failing: 0.1, random });
  await world.clock.advance(MINUTE);
  failing = false;
  for (const priority of PRIORITIES) {
    world.arrive(priority, quick);
  }
  await world.clock.advance(2 * MINUTE);
  expect(world.left).toBe(0);
  await end();
});

test('a task that ECS refuses to protect takes nothing, asks again about every half minute, and hides no message meanwhile', async () => {
  const { world, end } = await started({ refusing: 1 });
  world.arrive('normal', quick);
  await world.clock.advance(10 * MINUTE);
  expect(world.begun).toEqual([]);
  expect(world.waiting('normal')).toBe(1);
  // Returned once, by the poll that found it.
  expect(world.calls.requeue).toBe(1);
  expect(world.calls.acquire).toBeGreaterThanOrEqual(12);
  expect(world.calls.acquire).toBeLessThanOrEqual(21);
  expect(world.poller.isPaused).toBe(true);
  await end();
});

test('works without protection while ECS cannot be asked', async () => {
  const { world, end } = await started({ unavailable: 1 });
  world.arrive('normal', quick);
  await world.clock.advance(MINUTE);
  expect(world.begun).toEqual(['normal']);
  expect(world.left).toBe(0);
  await end();
});

test('messages that long polls bring beyond the free slots are returned at once, and run when a slot is free', async () => {
  const { world, end } = await started({ slots: 1, slowest: 1 });
  await world.clock.advance(MINUTE);
  for (const priority of PRIORITIES) {
    world.arrive(priority, { runsMs: 5_000, ends: 'delete' });
  }
  await world.clock.advance(1_500);
  expect(world.begun).toHaveLength(1);
  expect(world.calls.requeue).toBe(2);
  expect(PRIORITIES.reduce((sum, priority) => sum + world.waiting(priority), 0)).toBe(2);
  await world.clock.advance(30_000);
  expect(world.begun).toHaveLength(3);
  expect(world.left).toBe(0);
  await end();
});

test('a queue that was empty for long is asked as before once there is work: an urgent task does not wait for all the others', async () => {
  const { world, end } = await started({ slots: 1, slowest: 1 });
  await world.clock.advance(MINUTE);
  for (let task = 0; task < 100; task += 1) {
    world.arrive('low', { runsMs: 1_000, ends: 'delete' });
  }
  // Long polls of the other queues that were in progress have ended by then.
  await world.clock.advance(30_000);
  world.arrive('high', quick);
  await world.clock.advance(10_000);
  expect(world.begun).toContain('high');
  // By short polls, in the queues' turns: a long one for each free slot may bring more than can be run.
  expect(world.receives[0]).toBeGreaterThanOrEqual(40);
  expect(world.receives[20]).toBeLessThan(15);
  expect(world.waiting('low')).toBeGreaterThan(30);
  await world.clock.advance(2 * MINUTE);
  await end();
});

test('a full container does not poll, and one with a free slot does not wait for its neighbors', async () => {
  const { world, end } = await started({ slots: 1, slowest: 1 });
  world.arrive('high', { runsMs: 10 * MINUTE, ends: 'delete' });
  await world.clock.advance(MINUTE);
  const { receive } = world.calls;
  await world.clock.advance(5 * MINUTE);
  expect(world.calls.receive).toBe(receive);
  await world.clock.advance(5 * MINUTE);
  await end();

  const wide = await started({ slots: 2, slowest: 1 });
  wide.world.arrive('high', { runsMs: 10 * MINUTE, ends: 'delete' });
  await wide.world.clock.advance(MINUTE);
  wide.world.arrive('low', quick);
  await wide.world.clock.advance(2_000);
  expect(wide.world.begun).toEqual(['high', 'low']);
  expect(wide.world.isProtected).toBe(true);
  await wide.world.clock.advance(10 * MINUTE);
  expect(wide.world.isProtected).toBe(false);
  await wide.end();
});

test('a paused container finishes what runs, takes nothing new, and continues when every reason is gone', async () => {
  const { world, end } = await started({ slots: 2, slowest: 1 });
  world.arrive('normal', { runsMs: 5_000, ends: 'delete' });
  await world.clock.advance(2_000);
  world.poller.pause('unhealthy');
  world.poller.pause('retired');
  // A long poll that was in progress brings it, and returns it.
  world.arrive('normal', quick);
  await world.clock.advance(MINUTE);
  expect(world.begun).toEqual(['normal']);
  expect(world.waiting('normal')).toBe(1);
  expect(world.isProtected).toBe(false);
  world.poller.resume('unhealthy');
  await world.clock.advance(MINUTE);
  expect(world.begun).toHaveLength(1);
  world.poller.resume('retired');
  await world.clock.advance(MINUTE);
  expect(world.left).toBe(0);
  await end();
});

test('the container waits for polls in progress when it stops, and returns the messages that they bring', async () => {
  const { world, run } = await started({ slowest: 1 });
  await world.clock.advance(5_000);
  world.poller.stop();
  world.arrive('normal', quick);
  await world.clock.advance(30_000);
  await run;
  expect(world.begun).toEqual([]);
  expect(world.calls.requeue).toBe(1);
  expect(world.waiting('normal')).toBe(1);
  expect(world.lostToAbort).toBe(0);
});
