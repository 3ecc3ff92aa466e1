import type { RehearsalClock } from './clock';

/** Real seconds that a function is given at least before the cloud gives up on its report. */
const MIN_REAL_SECONDS = 60;

/**
 * Cloud milliseconds to wait for a function's report. A function works in real time while the cloud's clock runs faster:
 * its limit counts in cloud time, but never less than a real minute (or the limit itself, if that is shorter), so that a
 * busy machine is not taken for a function that hangs.
 *
 * @param limitMs the limit on AWS
 */
export function scaledTimeout(clock: Pick<RehearsalClock, 'speed'>, limitMs: number): number {
  return Math.max(limitMs, Math.min(limitMs, MIN_REAL_SECONDS * 1000) * clock.speed);
}
