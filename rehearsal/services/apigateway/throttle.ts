import type { RehearsalClock } from '../../core/clock';

/**
 * Token bucket in cloud time.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
 */
export class TokenBucket {
  readonly #clock: RehearsalClock;
  /** Requests a second, and how many may come at once. */
  readonly #limits: { readonly rate: number; readonly burst: number };
  #tokens: number;
  #filledAt: number;

  constructor(clock: RehearsalClock, limits: { readonly rate: number; readonly burst: number }) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#filledAt = clock.now();
  }

  /** Whether one more request may pass. */
  tryAcquire(): boolean {
    const now = this.#clock.now();
    const { rate, burst } = this.#limits;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * rate);
    this.#filledAt = now;
    if (this.#tokens < 1) {
      return false;
    }
    this.#tokens -= 1;
    return true;
  }
}
