import { ScaledClock } from '../../../rehearsal/core/scaled-clock';
import { ManualClock } from '../../support/manual-clock';

const realSleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('scaled clock', () => {
  test('runs at a multiple of real time from where it was started', async () => {
    const earliestStart = Date.now();
    const clock = new ScaledClock({ speed: 100, startAt: 1_000_000 });
    const latestStart = Date.now();
    await realSleep(50);
    const least = 1_000_000 + (Date.now() - latestStart) * 100;
    const now = clock.now();
    expect(now).toBeGreaterThanOrEqual(least);
    expect(now).toBeLessThanOrEqual(1_000_000 + (Date.now() - earliestStart) * 100);
  });

  test('never fires a timer before the clock shows its time', async () => {
    const clock = new ScaledClock({ speed: 60 });
    const early: number[] = [];
    await Promise.all(
      Array.from({ length: 200 }, (_, index) => {
        const due = clock.now() + index * 7;
        return clock.sleep(index * 7).then(() => {
          if (clock.now() < due) early.push(due - clock.now());
        });
      }),
    );
    expect(early).toEqual([]);
  });

  test('does not run a cancelled timer', async () => {
    const clock = new ScaledClock({ speed: 1000 });
    const run = jest.fn();
    clock.after(5_000, run).cancel();
    await clock.sleep(20_000);
    expect(run).not.toHaveBeenCalled();
  });

  test('keeps a timer that is longer than setTimeout can be', async () => {
    // 30 days at a thousandth of real time are 82 years, far beyond 2^31 ms, which setTimeout would fire at once.
    const clock = new ScaledClock({ speed: 0.001 });
    const run = jest.fn();
    const timer = clock.after(30 * 86_400_000, run);
    await realSleep(20);
    expect(run).not.toHaveBeenCalled();
    timer.cancel();
  });

  test('agrees with what it tells child processes', async () => {
    const clock = new ScaledClock({ speed: 30, startAt: 5_000 });
    const { realEpochMs, cloudEpochMs, speed } = clock.settings();
    const asChildren = () => cloudEpochMs + (Date.now() - realEpochMs) * speed;
    await realSleep(10);
    const before = asChildren();
    const now = clock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(asChildren());
  });

  test('sleep rejects with the reason of an abort, before and while it waits', async () => {
    const clock = new ScaledClock();
    await expect(clock.sleep(1000, AbortSignal.abort(new Error('early')))).rejects.toThrow('early');
    const controller = new AbortController();
    const sleeping = clock.sleep(60_000, controller.signal);
    controller.abort(new Error('late'));
    await expect(sleeping).rejects.toThrow('late');
  });

  test.each([0, -1, Number.NaN])('refuses speed %p', (speed) => {
    expect(() => new ScaledClock({ speed })).toThrow(
      /speed of the rehearsal's clock: must be a number above 0, got .*/,
    );
  });
});

describe('manual clock', () => {
  test('runs what falls due in the order of time, each at its own time', async () => {
    const clock = new ManualClock(0);
    const seen: [string, number][] = [];
    clock.after(300, () => seen.push(['c', clock.now()]));
    clock.after(100, () => seen.push(['a', clock.now()]));
    clock.after(100, () => seen.push(['b', clock.now()]));
    clock.after(301, () => seen.push(['d', clock.now()]));
    await clock.advance(300);
    expect(seen).toEqual([
      ['a', 100],
      ['b', 100],
      ['c', 300],
    ]);
    expect(clock.timers).toBe(1);
  });

  test('lets a chain of sleeps run within one advance', async () => {
    const clock = new ManualClock(0);
    const times: number[] = [];
    const loop = (async () => {
      for (let round = 0; round < 5; round++) {
        await clock.sleep(10);
        times.push(clock.now());
      }
    })();
    await clock.advance(50);
    await loop;
    expect(times).toEqual([10, 20, 30, 40, 50]);
  });

  test('stands still otherwise, and reaches over a month', async () => {
    const clock = new ManualClock(0);
    const run = jest.fn();
    clock.after(40 * 86_400_000, run);
    await realSleep(5);
    expect(clock.now()).toBe(0);
    await clock.advance(40 * 86_400_000 - 1);
    expect(run).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(run).toHaveBeenCalledTimes(1);
  });

  test('refuses to go back', async () => {
    await expect(new ManualClock().advance(-1)).rejects.toThrow('got -1 ms, expected 0 or more');
  });
});
