import type { RehearsalClock, Timer } from '../../core/clock';
import type { MetricsPort } from '../../core/ports';
import type { FunctionRun, FunctionRunResult } from './model';

/** How failed asynchronous invocations of a function (or of one qualifier of it) are treated. */
export interface AsyncSettings {
  /** 0 to 2. @default 2 */
  readonly maximumRetries?: number;
  /** Seconds, 60 to 21,600. @default 21,600 */
  readonly maximumAgeSeconds?: number;
}

/** Cloud milliseconds before the first and the second retry after a function error. */
const RETRY_AFTER_MS = [60_000, 120_000] as const;
const MAX_AGE_SECONDS = 21_600;
const FIRST_THROTTLE_WAIT_MS = 1000;
const MAX_THROTTLE_WAIT_MS = 300_000;

interface AsyncInvocation {
  readonly run: FunctionRun;
  readonly since: number;
  readonly attempt: (run: FunctionRun) => Promise<FunctionRunResult>;
  failures: number;
  throttles: number;
}

/**
 * Lambda's queue of asynchronous invocations: a function error is retried after one minute and again after two, a
 * throttled invocation with growing waits; dropped invocations go to the function's dead-letter queue.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 */
export class AsyncQueue {
  readonly #clock: RehearsalClock;
  readonly #metrics: MetricsPort;
  /** Sends a dropped invocation to the function's dead-letter queue if it has one. */
  readonly #sendToDeadLetterQueue: (run: FunctionRun) => void;
  readonly #onFault: (error: unknown) => void;
  /** `name` or `name:qualifier` → settings. */
  readonly #settings = new Map<string, AsyncSettings>();
  readonly #timers = new Set<Timer>();
  #stopped = false;

  constructor(
    clock: RehearsalClock,
    metrics: MetricsPort,
    giveUp: (run: FunctionRun) => void,
    onFault: (error: unknown) => void,
  ) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#sendToDeadLetterQueue = giveUp;
    this.#onFault = onFault;
  }

  configure(name: string, qualifier: string | undefined, settings: AsyncSettings | undefined): void {
    const key = keyOf(name, qualifier);
    if (settings === undefined) {
      this.#settings.delete(key);
    } else {
      this.#settings.set(key, settings);
    }
  }

  configured(name: string, qualifier: string | undefined): boolean {
    return this.#settings.has(keyOf(name, qualifier));
  }

  add(run: FunctionRun, attempt: (run: FunctionRun) => Promise<FunctionRunResult>): void {
    this.#count('AsyncEventsReceived', run);
    void this.#deliver({ run, since: this.#clock.now(), attempt, failures: 0, throttles: 0 });
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) {
      timer.cancel();
    }
  }

  async #deliver(event: AsyncInvocation): Promise<void> {
    const { run } = event;
    const settings = this.#settings.get(keyOf(run.name, run.qualifier)) ?? {};
    let result: FunctionRunResult;
    try {
      result = await event.attempt(run);
    } catch {
      // The function or the version was deleted meanwhile.
      this.#drop(run);
      return;
    }
    const age = this.#clock.now() - event.since;
    const maxAge = (settings.maximumAgeSeconds ?? MAX_AGE_SECONDS) * 1000;
    if (result.kind === 'throttled') {
      const wait = Math.min(FIRST_THROTTLE_WAIT_MS * 2 ** event.throttles, MAX_THROTTLE_WAIT_MS);
      event.throttles += 1;
      if (age + wait > maxAge) {
        this.#drop(run);
      } else {
        this.#retryAfter(wait, event);
      }
      return;
    }
    if (!result.outcome.failed) {
      return;
    }
    const wait = RETRY_AFTER_MS[event.failures];
    event.failures += 1;
    const retries = settings.maximumRetries ?? RETRY_AFTER_MS.length;
    if (wait === undefined || event.failures > retries || age + wait > maxAge) {
      this.#drop(run);
    } else {
      this.#retryAfter(wait, event);
    }
  }

  #retryAfter(wait: number, event: AsyncInvocation): void {
    if (this.#stopped) {
      return;
    }
    const timer = this.#clock.after(wait, () => {
      this.#timers.delete(timer);
      void this.#deliver(event);
    });
    this.#timers.add(timer);
  }

  #drop(run: FunctionRun): void {
    if (this.#stopped) {
      return;
    }
    this.#count('AsyncEventsDropped', run);
    try {
      this.#sendToDeadLetterQueue(run);
    } catch (error) {
      this.#count('DeadLetterErrors', run);
      this.#onFault(error);
    }
  }

  #count(metric: string, run: FunctionRun): void {
    this.#metrics.put('AWS/Lambda', metric, { FunctionName: run.name }, [1], 'Count');
  }
}

function keyOf(name: string, qualifier: string | undefined): string {
  return qualifier === undefined || qualifier === '$LATEST' ? name : `${name}:${qualifier}`;
}
