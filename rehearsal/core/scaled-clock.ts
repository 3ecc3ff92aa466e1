import type { RehearsalClock, Timer } from './clock';

/** Longest delay of setTimeout; a longer one would fire at once. Milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

export interface ScaledClockOptions {
  /**
   * Cloud milliseconds per real millisecond.
   * @default 1
   */
  readonly speed?: number;
  /**
   * Cloud time at the start, milliseconds since 1970.
   * @default the real time
   */
  readonly startAt?: number;
}

/**
 * The clock of a rehearsal: real time, multiplied. A timer never fires before the clock shows its time, so a
 * callback may compare with `now()`.
 */
export class ScaledClock implements RehearsalClock {
  readonly speed: number;
  readonly #realEpochMs = Date.now();
  readonly #cloudEpochMs: number;

  constructor(props: ScaledClockOptions = {}) {
    const speed = props.speed ?? 1;
    if (!Number.isFinite(speed) || speed <= 0) {
      throw new RangeError(`speed of the rehearsal's clock: must be a number above 0, got ${speed}`);
    }
    this.speed = speed;
    this.#cloudEpochMs = props.startAt ?? this.#realEpochMs;
  }

  now(): number {
    return Math.floor(this.#cloudEpochMs + (Date.now() - this.#realEpochMs) * this.speed);
  }

  after(milliseconds: number, task: () => void): Timer {
    const due = this.now() + Math.max(0, milliseconds);
    let handle: NodeJS.Timeout;
    const arm = () => {
      const real = Math.min(MAX_DELAY, Math.max(0, Math.ceil((due - this.now()) / this.speed)));
      handle = setTimeout(fire, real);
      handle.unref();
    };
    // A timeout may fire up to a millisecond early, and long waits are split: check the clock again.
    const fire = () => (this.now() < due ? arm() : task());
    arm();
    return { cancel: () => clearTimeout(handle) };
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, milliseconds, signal);
  }

  settings(): { readonly realEpochMs: number; readonly cloudEpochMs: number; readonly speed: number } {
    return { realEpochMs: this.#realEpochMs, cloudEpochMs: this.#cloudEpochMs, speed: this.speed };
  }
}

/** `sleep` in terms of `after`. */
export function sleepOn(
  clock: Pick<RehearsalClock, 'after'>,
  milliseconds: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(milliseconds, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
