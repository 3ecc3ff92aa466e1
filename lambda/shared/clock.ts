import * as z from 'zod';
import { Env } from '../../lib/contract';

/**
 * Time as the cloud sees it. On AWS that is the wall clock. In the rehearsal the cloud's time is compressed and the
 * handlers must agree with it about leases, caches and waits, so every handler asks this clock for the time of day and
 * for waits. How long its own work took is real time everywhere: use {@link stopwatch}.
 */
export interface Clock {
  /** Milliseconds since 1970, in the cloud's time. */
  now(): number;
  /** Waits so many milliseconds of the cloud's time. Rejects with the signal's reason when it aborts. */
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
 * How long to wait, in the cloud's milliseconds, for work that other functions do. On AWS that is the limit. In the
 * rehearsal work takes real time while the cloud's clock runs faster: the limit then holds in the cloud's time, but not
 * before `leastRealMs` (or the limit itself, if that is shorter) are over, so that a busy machine is not taken for work
 * that hangs.
 */
export function scaleTimeout(
  limitMs: number,
  leastRealMs: number,
  environment: NodeJS.ProcessEnv = process.env,
): number {
  return Math.max(limitMs, Math.min(limitMs, leastRealMs) * settingsOf(environment).speed);
}

/** Starts counting; each call of the result gives the real milliseconds since. */
export function stopwatch(): () => number {
  const start = performance.now();
  return () => performance.now() - start;
}

/**
 * Runs the task once after so many real milliseconds: for limits on a handler's own work. Gives the function that
 * cancels it. The timer keeps the process alive, so that a limit is kept even when nothing else is left to wait for.
 */
export function startRealTimer(milliseconds: number, task: () => void): () => void {
  const timer = setTimeout(task, milliseconds);
  return () => clearTimeout(timer);
}
