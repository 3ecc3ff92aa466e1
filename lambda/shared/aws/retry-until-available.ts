import type { Clock } from '../clock';
import { isUnavailable } from './aws-errors';

export interface RetryUntilAvailableOptions {
  /** Until when it is tried: milliseconds since 1970, in the cloud's time. */
  readonly until: number;
  /** Milliseconds (cloud time) between two tries. */
  readonly pauseMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a call again, after a pause, as long as the service cannot answer for now: for work that has minutes, and whose
 * failure costs more than a wait. The SDK by itself gives up within seconds.
 *
 * @throws what the call threw last, when it is of no use to try again or there is no time left
 */
export async function retryUntilAvailable<T>(
  call: () => Promise<T>,
  { until, pauseMs, clock, signal }: RetryUntilAvailableOptions,
): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const left = until - clock.now();
      if (!isUnavailable(error) || left <= 0) {
        throw error;
      }
      await clock.sleep(Math.min(pauseMs, left), signal);
    }
  }
}
