import { CancelledError, LeaseLostError, TaskRequeuedError } from '../../runtime/errors';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { Lease, Renewal } from '../../shared/tasks/task-store';
import type { Log } from '../../shared/telemetry/logger';
import type { LeaseTimes } from './lease-times';

export interface HeartbeatDeps {
  readonly renew: (lease: Lease, signal: AbortSignal) => Promise<Renewal>;
  /** Hides the message for so many milliseconds from now. */
  readonly extendVisibility: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Whether the worker's release was taken back, and its tasks are to go on elsewhere. */
  readonly isRevoked: () => Promise<boolean>;
  readonly times: LeaseTimes;
  readonly clock: Clock;
  readonly logger: Log;
}

/**
 * Keeps a task for its worker while the task runs, and ends the attempt when the task is no longer the worker's.
 *
 * The lease is watched apart from its renewal: a store that hangs, or a process that was frozen, must not keep a worker
 * from noticing that its time is up. One heartbeat that fails changes nothing; the lease outlives three.
 */
export class Heartbeat {
  readonly #deps: HeartbeatDeps;
  readonly #controller: AbortController;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;
  #lease: Lease;
  #lost = false;

  /** @param controller aborted with the reason why the attempt has to end */
  constructor(lease: Lease, controller: AbortController, deps: HeartbeatDeps) {
    this.#lease = lease;
    this.#controller = controller;
    this.#deps = deps;
    this.#ended = Promise.all([this.#beat(), this.#watch()]);
  }

  /** Whether the task is still this worker's, for all that it can know. */
  isLeaseHeld(): boolean {
    if (!this.#lost && this.#left() <= 0) {
      this.#lose('the lease was not renewed in time: another worker may have the task by now');
    }
    return !this.#lost;
  }

  /** Ends renewal. No call that changes anything is under way afterwards. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  /** Milliseconds until the lease counts as lost. */
  #left(): number {
    return this.#lease.expiresAt - this.#deps.times.safetyMs - this.#deps.clock.now();
  }

  async #watch(): Promise<void> {
    while (this.#going() && this.isLeaseHeld()) {
      await this.#pause(Math.max(1, this.#left()));
    }
  }

  async #beat(): Promise<void> {
    const { heartbeatMs, retryMs: repeatMs } = this.#deps.times;
    let pause = heartbeatMs;
    for (;;) {
      await this.#pause(pause);
      if (!this.#going() || !this.isLeaseHeld()) {
        return;
      }
      // Not waited for: a renewal in time is worth more than an answer to this.
      void this.#checkRelease();
      pause = (await this.#renew()) ? heartbeatMs : repeatMs;
    }
  }

  /** @returns whether the next renewal has time */
  async #renew(): Promise<boolean> {
    const { renew, extendVisibility: hide, times, logger } = this.#deps;
    try {
      const renewal = await renew(this.#lease, this.#stop.signal);
      if (renewal.kind === 'lost') {
        this.#lose('the lease has passed to another worker, or the task was ended');
        return true;
      }
      this.#lease = renewal.lease;
      if (renewal.cancelRequested) {
        this.#controller.abort(new CancelledError());
      }
    } catch (error) {
      this.#failed('the lease was not renewed', error, logger);
      return false;
    }
    try {
      await hide(times.leaseMs + times.visibilityBeyondLeaseMs, this.#stop.signal);
      return true;
    } catch (error) {
      // Should the message come back too early, whoever gets it finds the task held and hides it again.
      this.#failed('the message was not hidden for longer', error, logger);
      return false;
    }
  }

  async #checkRelease(): Promise<void> {
    try {
      if ((await this.#deps.isRevoked()) && this.#going()) {
        this.#controller.abort(new TaskRequeuedError('revoked'));
      }
    } catch (error) {
      this.#failed('it is not known whether the release was revoked', error, this.#deps.logger);
    }
  }

  #failed(what: string, error: unknown, logger: Log): void {
    if (this.#going()) {
      logger.warn(`${what}, the worker goes on while its lease holds`, {
        component: 'heartbeat',
        outcome: 'error',
        reason: messageOf(error),
      });
    }
  }

  #lose(message: string): void {
    this.#lost = true;
    this.#controller.abort(new LeaseLostError(message));
  }

  #going(): boolean {
    return !this.#stop.signal.aborted && !this.#lost;
  }

  async #pause(milliseconds: number): Promise<void> {
    await this.#deps.clock.sleep(milliseconds, this.#stop.signal).catch(() => undefined);
  }
}
