import * as z from 'zod';
import { Env } from '../../lib/contract';

/**
 * The cloud's time. On AWS it is the wall clock. In a rehearsal it runs faster, and handlers must agree with the local cloud on
 * leases, caches and waits: so every handler uses this clock for the time of day and for waits. Durations of a handler's own
 * work are real time everywhere: use {@link stopwatch}.
 */
export interface Clock {
  /** Milliseconds since 1970, in the cloud's time. */
  now(): number;
  /** Waits for this many milliseconds of the cloud's time. Rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

const settingsSchema = z.strictObject({
  realEpochMs: z.number(),
  cloudEpochMs: z.number(),
  speed: z.number().positive(),
});

function settingsOf(environment: NodeJS.ProcessEnv): z.infer<typeof settingsSchema> {
  const text = environment[Env.CLOCK];
  return text === undefined ? { realEpochMs: 0, cloudEpochMs: 0, speed: 1 } : settingsSchema.parse(JSON.parse(text));
}

/** The clock of this process; see {@link Env.CLOCK}. */
export function systemClock(environment: NodeJS.ProcessEnv = process.env): Clock {
  const { realEpochMs, cloudEpochMs, speed } = settingsOf(environment);
  return {
    now: () => cloudEpochMs + (Date.now() - realEpochMs) * speed,
    sleep: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const onAbort = () => {
          clearTimeout(timer);
          reject(signal?.reason);
        };
        const timer = setTimeout(() => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        }, milliseconds / speed);
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
  };
}

/**
 * Scales a timeout for work of other functions, in the cloud's milliseconds. On AWS it returns the limit. In a rehearsal the work
 * takes real time while the cloud's clock runs faster: the timeout then also lasts at least `leastRealMs` real milliseconds (or
 * the limit itself, if that is shorter), so that a busy machine is not mistaken for hanging work.
 */
export function scaleTimeout(
  limitMs: number,
  leastRealMs: number,
  environment: NodeJS.ProcessEnv = process.env,
): number {
  return Math.max(limitMs, Math.min(limitMs, leastRealMs) * settingsOf(environment).speed);
}

/** Starts a stopwatch; the returned function gives the elapsed real milliseconds. */
export function stopwatch(): () => number {
  const start = performance.now();
  return () => performance.now() - start;
}

/**
 * Runs the task once after this many real milliseconds, for limits on a handler's own work. Returns the function that cancels it.
 * The timer keeps the process alive, so that a limit is enforced even if nothing else is pending.
 */
export function startRealTimer(milliseconds: number, task: () => void): () => void {
  const timer = setTimeout(task, milliseconds);
  return () => clearTimeout(timer);
}
