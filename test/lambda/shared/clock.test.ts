import { scaleTimeout, startRealTimer, stopwatch, systemClock } from '../../../lambda/shared/clock';
import { Env } from '../../../lib/contract';

const compressed = (settings: object) => systemClock({ [Env.CLOCK]: JSON.stringify(settings) });

test('on AWS the time is the wall clock', () => {
  const before = Date.now();
  const now = systemClock({}).now();
  expect(now).toBeGreaterThanOrEqual(before);
  expect(now).toBeLessThanOrEqual(Date.now());
});

test('in the rehearsal time is compressed', async () => {
  const real = stopwatch();
  const clock = compressed({ realEpochMs: Date.now(), cloudEpochMs: 1_000_000, speed: 1_000 });
  await clock.sleep(30_000);
  expect(real()).toBeLessThan(5_000);
  expect(clock.now()).toBeGreaterThanOrEqual(1_000_000 + 29_000);
});

test('fails for clock settings that are none', () => {
  expect(() => compressed({ speed: 0 })).toThrow();
});

test('scaledTimeout with the work of others is the limit on AWS, and not less than this real time where time is compressed', () => {
  const fast = { [Env.CLOCK]: JSON.stringify({ realEpochMs: 0, cloudEpochMs: 0, speed: 30 }) };
  expect(scaleTimeout(120_000, 20_000, {})).toBe(120_000);
  expect(scaleTimeout(120_000, 20_000, fast)).toBe(600_000);
  expect(scaleTimeout(5_000, 20_000, fast)).toBe(150_000);
  expect(scaleTimeout(3_600_000, 20_000, fast)).toBe(3_600_000);
});

test('sleep fails with the reason of its signal', async () => {
  const controller = new AbortController();
  const sleeping = systemClock({}).sleep(60_000, controller.signal);
  controller.abort(new Error('woken'));
  await expect(sleeping).rejects.toThrow('woken');
  await expect(systemClock({}).sleep(60_000, controller.signal)).rejects.toThrow('woken');
});

test('a limit that was cancelled does nothing', async () => {
  const task = jest.fn();
  const cancel = startRealTimer(5, task);
  cancel();
  await new Promise<void>((resolve) => {
    startRealTimer(20, resolve);
  });
  expect(task).not.toHaveBeenCalled();
});
