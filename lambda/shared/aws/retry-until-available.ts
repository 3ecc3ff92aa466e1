import type { Clock } from '../clock';
import { isUnavailable } from './aws-errors';

export interface RetryUntilAvailableOptions {
  /** Time of the last try: milliseconds since 1970, in the cloud's time. */
  readonly until: number;
  /** Pause between two tries in milliseconds of the cloud's time. */
  readonly pauseMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Repeats a call while the service is unavailable, for work that has minutes and whose failure costs more than a wait. The SDK
 * alone retries for seconds only.
 *
 * @throws the last error of the call, if it is not retryable or the time is over
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
