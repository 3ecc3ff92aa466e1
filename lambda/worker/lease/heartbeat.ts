import { CancelledError, LeaseLostError, TaskRequeuedError } from '../../runtime/errors';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { Lease, Renewal } from '../../shared/tasks/task-leases';
import type { Log } from '../../shared/telemetry/logger';
import type { LeaseTimes } from './lease-times';

export interface HeartbeatDeps {
  readonly renew: (lease: Lease, signal: AbortSignal) => Promise<Renewal>;
  /** Keeps the message hidden for this many milliseconds from now. */
  readonly extendVisibility: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Whether the worker's release was revoked, so that its tasks must continue in the stable lane. */
  readonly isRevoked: () => Promise<boolean>;
  readonly times: LeaseTimes;
  readonly clock: Clock;
  readonly logger: Log;
}

/**
 * Renews the lease and the message's visibility timeout while a task runs, and aborts the attempt when the lease is lost.
 *
 * Expiry is watched separately from renewal: a worker must notice that its lease expired even if the store hangs or the
 * process was frozen. One failed heartbeat changes nothing; a lease outlives three.
 */
export class Heartbeat {
  readonly #deps: HeartbeatDeps;
  readonly #controller: AbortController;
  readonly #stop = new AbortController();
  readonly #loopsEnded: Promise<unknown>;
  #lease: Lease;
  #isLost = false;

  /** @param controller aborted with the reason why the attempt has to end */
  constructor(lease: Lease, controller: AbortController, deps: HeartbeatDeps) {
    this.#lease = lease;
    this.#controller = controller;
    this.#deps = deps;
    this.#loopsEnded = Promise.all([this.#renewPeriodically(), this.#watchExpiry()]);
  }

  /** Whether this worker holds the lease, as far as it can know without a call. */
  isLeaseHeld(): boolean {
    if (!this.#isLost && this.#remainingMs() <= 0) {
      this.#loseLease('the lease was not renewed in time: another worker may hold it now');
    }
    return !this.#isLost;
  }

  /** Stops the renewal. No call that changes state is in flight when it resolves. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loopsEnded;
  }

  /** Milliseconds until the lease counts as lost. */
  #remainingMs(): number {
    return this.#lease.expiresAt - this.#deps.times.safetyMs - this.#deps.clock.now();
  }

  async #watchExpiry(): Promise<void> {
    while (this.#isActive() && this.isLeaseHeld()) {
      await this.#pause(Math.max(1, this.#remainingMs()));
    }
  }

  async #renewPeriodically(): Promise<void> {
    const { heartbeatMs, retryMs: repeatMs } = this.#deps.times;
    let pause = heartbeatMs;
    for (;;) {
      await this.#pause(pause);
      if (!this.#isActive() || !this.isLeaseHeld()) {
        return;
      }
      // Not awaited: a renewal in time matters more than this check.
      void this.#checkRevocation();
      pause = (await this.#renew()) ? heartbeatMs : repeatMs;
    }
  }

  /** @returns false if the next renewal must come early */
  async #renew(): Promise<boolean> {
    const { renew, extendVisibility: hide, times, logger } = this.#deps;
    try {
      const renewal = await renew(this.#lease, this.#stop.signal);
      if (renewal.kind === 'lost') {
        this.#loseLease('another worker holds the lease, or the task was ended');
        return true;
      }
      this.#lease = renewal.lease;
      if (renewal.cancelRequested) {
        this.#controller.abort(new CancelledError());
      }
    } catch (error) {
      this.#logFailure('the lease was not renewed', error, logger);
      return false;
    }
    try {
      await hide(times.leaseMs + times.visibilityBeyondLeaseMs, this.#stop.signal);
      return true;
    } catch (error) {
      // If SQS delivers the message too early, the receiving worker finds the lease held and postpones it again.
      this.#logFailure('the visibility timeout of the message was not extended', error, logger);
      return false;
    }
  }

  async #checkRevocation(): Promise<void> {
    try {
      if ((await this.#deps.isRevoked()) && this.#isActive()) {
        this.#controller.abort(new TaskRequeuedError('revoked'));
      }
    } catch (error) {
      this.#logFailure('it could not be checked whether the release is revoked', error, this.#deps.logger);
    }
  }

  #logFailure(what: string, error: unknown, logger: Log): void {
    if (this.#isActive()) {
      logger.warn(`${what}; the worker continues while it holds the lease`, {
        component: 'heartbeat',
        outcome: 'error',
        reason: messageOf(error),
      });
    }
  }

  #loseLease(message: string): void {
    this.#isLost = true;
    this.#controller.abort(new LeaseLostError(message));
  }

  #isActive(): boolean {
    return !this.#stop.signal.aborted && !this.#isLost;
  }

  async #pause(milliseconds: number): Promise<void> {
    await this.#deps.clock.sleep(milliseconds, this.#stop.signal).catch(() => undefined);
  }
}
