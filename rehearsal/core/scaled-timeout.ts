import type { RehearsalClock } from './clock';

/** Minimum real seconds before a wait for a function's report times out. */
const MIN_REAL_SECONDS = 60;

/**
 * Cloud milliseconds to wait for a function's report. A function works in real time while the cloud's clock runs faster:
 * its limit counts in cloud time, but never less than a real minute (or the limit itself, if that is shorter), so that a
 * busy machine does not look like a hanging function.
 *
 * @param limitMs the limit on AWS
 */
export function scaledTimeout(clock: Pick<RehearsalClock, 'speed'>, limitMs: number): number {
  return Math.max(limitMs, Math.min(limitMs, MIN_REAL_SECONDS * 1000) * clock.speed);
}
