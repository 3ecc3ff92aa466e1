import { PRIORITIES, type Priority } from '../../../lib/contract';
import { type AgentError, TaskRequeuedError } from '../../runtime/errors';
import type { SqsRecord } from '../../shared/aws/sqs-event';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { Log } from '../../shared/telemetry/logger';
import type { MessageDisposition } from '../../worker/message/worker-message';
import { type LaneQueueClient, LONG_POLL_SECONDS, MAX_PER_POLL } from './lane-queue-client';
import { PriorityScheduler } from './priority-scheduler';
import type { TaskProtection } from './task-protection';
import { WakeSignal } from './wake-signal';

/**
 * Backoff of a queue after its nth consecutive poll failure, in milliseconds.
 */
const FAILURE_PAUSE_MS = { first: 1_000, longest: 60_000 } as const;

/** Pause of all polls after ECS refused to protect the task, in milliseconds, with a random extension of up to this share. */
const REFUSED_PAUSE_MS = 30_000;
const REFUSED_JITTER = 0.5;

/** `unhealthy`: the agent is unhealthy. `retired`: another release owns the lane. */
export type PollPauseReason = 'unhealthy' | 'retired';

export interface LanePollerDeps {
  readonly messages: Pick<LaneQueueClient, 'receive' | 'delete' | 'requeue'>;
  /** Share of the rounds in which each queue is polled first. */
  readonly shares: Readonly<Record<Priority, number>>;
  /** Tasks that run at once. */
  readonly slots: number;
  readonly protection: Pick<TaskProtection, 'acquire' | 'release'>;
  /** Processes a message. @param stop aborts at the stop timeout; its reason decides what happens to the task */
  readonly process: (message: SqsRecord, stop: AbortSignal) => Promise<MessageDisposition>;
  /** Queues that are polled. @default all */
  readonly priorities?: readonly Priority[];
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly logger: Log;
}

/**
 * Keeps the slots of a container filled from the three queues of its lane.
 *
 * While slots are free it makes rounds of short polls. PriorityScheduler orders each round so that every queue is first in its
 * share of the rounds: urgent tasks mostly go first, and the others are never starved. After a round without messages it makes
 * 20-second long polls of all queues at once: an idle container makes 540 calls an hour. An open poll is not aborted while there
 * is time, because SQS may already have hidden messages for it, which no worker could receive until their visibility timeout.
 * So a long poll may return more messages than there are free slots, or return after the stop signal: messages that cannot be
 * processed are returned to their queue at once.
 *
 * Every received message is either processed, and deleted if its disposition says so, or returned to its queue.
 */
export class LanePoller {
  readonly #deps: LanePollerDeps;
  readonly #priorities: readonly Priority[];
  readonly #scheduler: PriorityScheduler;
  readonly #wakeSignal = new WakeSignal();
  /** Aborted when no new task may start. */
  readonly #stop = new AbortController();
  /** Aborted when running tasks must be requeued. */
  readonly #requeue = new AbortController();
  /** Aborted when open polls must end too. */
  readonly #abandon = new AbortController();
  readonly #inProgress = new Set<Promise<void>>();
  /** Queues with an open long poll. */
  readonly #longPolls = new Set<Priority>();
  /** Queues whose last long poll was empty, with no message received since: short polls of them are skipped. */
  readonly #emptyQueues = new Set<Priority>();
  /** Queues that are skipped for a time after a failure. */
  readonly #backingOff = new Set<Priority>();
  readonly #failures: Record<Priority, number> = { high: 0, normal: 0, low: 0 };
  #running = 0;
  /** Polls whose messages are received, but neither started nor returned. */
  #undispatchedPolls = 0;
  /** Reasons why no new tasks are accepted. */
  readonly #pauses = new Set<PollPauseReason>();
  /** ECS refused to protect the task at the last request. */
  #protectionRefused = false;
  #lastPollAt: number | undefined;

  constructor(deps: LanePollerDeps) {
    this.#deps = deps;
    this.#priorities = deps.priorities ?? PRIORITIES;
    this.#scheduler = new PriorityScheduler(deps.shares, deps.random);
  }

  /** Number of running tasks. */
  get running(): number {
    return this.#running;
  }

  /** Time of the last successful poll, in the cloud's time. */
  get lastPollAt(): number | undefined {
    return this.#lastPollAt;
  }

  /** Whether no new tasks are accepted: paused, or ECS refused to protect the task. */
  get isPaused(): boolean {
    return this.#paused || this.#protectionRefused;
  }

  /** Polls until `stop()`. Resolves when all tasks and polls have ended. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (this.#freeSlots <= 0 || this.#paused) {
        this.#releaseIfIdle();
        await this.#wakeSignal.wait();
      } else if (this.#protectionRefused) {
        await this.#retryProtection();
      } else if (!(await this.#round())) {
        this.#releaseIfIdle();
        this.#openLongPolls();
        await this.#wakeSignal.wait();
      }
    }
    while (this.#inProgress.size > 0) {
      this.#releaseIfIdle();
      await this.#wakeSignal.wait();
    }
    await this.#deps.protection.release();
  }

  /** Starts no more tasks. */
  stop(): void {
    this.#stop.abort();
    this.#wakeSignal.notify();
  }

  /**
   * Ends the running tasks with their finished steps, so that another worker continues them.
   *
   * @param reason decides what happens to them. @default they are requeued, and the attempt does not count
   */
  requeue(reason: AgentError = new TaskRequeuedError('worker_stopping')): void {
    this.#requeue.abort(reason);
  }

  /** Aborts open polls. */
  abortPolls(): void {
    this.#abandon.abort();
  }

  /** Accepts no new tasks until every reason is removed. Running tasks continue. */
  pause(reason: PollPauseReason): void {
    this.#pauses.add(reason);
    this.#wakeSignal.notify();
  }

  resume(reason: PollPauseReason): void {
    this.#pauses.delete(reason);
    this.#wakeSignal.notify();
  }

  get #paused(): boolean {
    return this.#pauses.size > 0;
  }

  get #freeSlots(): number {
    return this.#deps.slots - this.#running;
  }

  get #acceptsTasks(): boolean {
    return this.#freeSlots > 0 && !this.#paused && !this.#protectionRefused && !this.#stop.signal.aborted;
  }

  /** Polls the queues one after the other while slots are free. @returns whether to make another round */
  async #round(): Promise<boolean> {
    let found = false;
    for (const priority of this.#scheduler.next()) {
      if (!this.#acceptsTasks) {
        return true;
      }
      if (this.#isOpen(priority) && !this.#emptyQueues.has(priority)) {
        found = (await this.#poll(priority, 0)) || found;
      }
    }
    return found;
  }

  #openLongPolls(): void {
    for (const priority of PRIORITIES) {
      if (this.#acceptsTasks && this.#isOpen(priority)) {
        this.#longPolls.add(priority);
        this.#track(
          this.#poll(priority, LONG_POLL_SECONDS).then((found) => {
            this.#longPolls.delete(priority);
            if (!found) {
              this.#emptyQueues.add(priority);
            }
          }),
        );
      }
    }
  }

  /** Whether the queue can be polled now. */
  #isOpen(priority: Priority): boolean {
    return this.#priorities.includes(priority) && !this.#longPolls.has(priority) && !this.#backingOff.has(priority);
  }

  /** @returns whether messages were received. Never rejects. */
  async #poll(priority: Priority, waitSeconds: number): Promise<boolean> {
    const { messages, clock } = this.#deps;
    const maxMessages = Math.min(MAX_PER_POLL, this.#freeSlots);
    let received: readonly SqsRecord[];
    try {
      received = await messages.receive(priority, maxMessages, waitSeconds, this.#abandon.signal);
      this.#failures[priority] = 0;
      this.#lastPollAt = clock.now();
    } catch (error) {
      this.#backOff(priority, error);
      return false;
    }
    if (received.length > 0) {
      await this.#dispatch(priority, received);
    }
    return received.length > 0;
  }

  async #dispatch(priority: Priority, received: readonly SqsRecord[]): Promise<void> {
    this.#emptyQueues.clear();
    this.#undispatchedPolls += 1;
    if (this.#acceptsTasks && (await this.#deps.protection.acquire()) === 'refused') {
      this.#protectionRefused = true;
    }
    for (const message of received) {
      if (this.#acceptsTasks) {
        this.#start(priority, message);
      } else {
        this.#track(this.#returnMessage(priority, message));
      }
    }
    this.#undispatchedPolls -= 1;
  }

  #start(priority: Priority, message: SqsRecord): void {
    this.#running += 1;
    this.#track(
      this.#work(priority, message).finally(() => {
        this.#running -= 1;
      }),
    );
  }

  async #work(priority: Priority, message: SqsRecord): Promise<void> {
    const { process: work, messages, logger } = this.#deps;
    try {
      if ((await work(message, this.#requeue.signal)) === 'delete') {
        await messages.delete(priority, message);
      }
    } catch (error) {
      // SQS delivers the message again, and the next worker finds the state of the task.
      logger.error('message left in its queue: processing or deleting it failed', {
        component: 'poller',
        messageId: message.messageId,
        outcome: 'error',
        reason: messageOf(error),
      });
    }
  }

  async #returnMessage(priority: Priority, message: SqsRecord): Promise<void> {
    const { messages, logger } = this.#deps;
    try {
      await messages.requeue(priority, message);
    } catch (error) {
      logger.warn('a message could not be returned to its queue; SQS will deliver it after its visibility timeout', {
        component: 'poller',
        messageId: message.messageId,
        outcome: 'error',
        reason: messageOf(error),
      });
    }
  }

  #backOff(priority: Priority, error: unknown): void {
    if (this.#abandon.signal.aborted) {
      return;
    }
    const { random, logger } = this.#deps;
    this.#failures[priority] += 1;
    const { first, longest } = FAILURE_PAUSE_MS;
    const bound = Math.min(longest, first * 2 ** Math.min(this.#failures[priority] - 1, 10));
    const pauseMs = (bound * (1 + random())) / 2;
    logger.warn('polling a queue failed; the queue is skipped for a time', {
      component: 'poller',
      priority,
      outcome: 'error',
      failures: this.#failures[priority],
      pauseMs: Math.round(pauseMs),
      reason: messageOf(error),
    });
    this.#backingOff.add(priority);
    this.#track(this.#pause(pauseMs).then(() => this.#backingOff.delete(priority)));
  }

  /** ECS is about to stop a task that it does not protect: no messages are accepted until it protects the task. */
  async #retryProtection(): Promise<void> {
    const { random, protection } = this.#deps;
    await this.#pause(REFUSED_PAUSE_MS * (1 + REFUSED_JITTER * random()));
    this.#protectionRefused = !this.#stop.signal.aborted && (await protection.acquire()) === 'refused';
  }

  /** Releases the protection if the container is idle: ECS may stop it. */
  #releaseIfIdle(): void {
    if (this.#running + this.#undispatchedPolls === 0) {
      void this.#deps.protection.release();
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return this.#deps.clock.sleep(milliseconds, this.#stop.signal).catch(() => undefined);
  }

  #track(work: Promise<unknown>): void {
    const kept: Promise<void> = work.then(() => {
      this.#inProgress.delete(kept);
      this.#wakeSignal.notify();
    });
    this.#inProgress.add(kept);
  }
}
