import { PRIORITIES, type Priority } from '../../../lib/contract';
import { type AgentError, TaskRequeuedError } from '../../runtime/errors';
import type { SqsRecord } from '../../shared/aws/sqs-event';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { Log } from '../../shared/telemetry/logger';
import type { MessageDisposition } from '../../worker/message/received-message';
import { type LaneQueueClient, LONG_POLL_SECONDS, MAX_PER_POLL } from './lane-queue-client';
import { PriorityScheduler } from './priority-scheduler';
import type { TaskProtection } from './task-protection';
import { WakeSignal } from './wake-signal';

/**
 * After the nth failure in a row a queue is left alone: by chance half of first × 2^(n−1), at most longest, to all of it.
 * Milliseconds.
 */
const FAILURE_PAUSE_MS = { first: 1_000, longest: 60_000 } as const;

/** When ECS refuses to protect the task, nothing is polled for so long, and up to so much longer by chance. Milliseconds. */
const REFUSED_PAUSE_MS = 30_000;
const REFUSED_JITTER = 0.5;

/** `unwell`: the agent is. `retired`: the lane is another release's. */
export type PauseReason = 'unwell' | 'retired';

export interface LanePollerDeps {
  readonly messages: Pick<LaneQueueClient, 'receive' | 'delete' | 'requeue'>;
  /** Share of the rounds in which each queue is asked first. */
  readonly shares: Readonly<Record<Priority, number>>;
  /** Tasks that run at once. */
  readonly slots: number;
  readonly protection: Pick<TaskProtection, 'acquire' | 'release'>;
  /** Takes a message to its end. @param stop aborts, with what becomes of the task, when there is no more time */
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
 * While slots are free, rounds of short polls, in an order by which every queue is first in its share of the rounds (see
 * PriorityTurns): urgent tasks go first mostly, and the others are never starved. A round in which all queues are empty
 * leads to long polls of all of them at once, 20 seconds each: an idle container makes 540 calls an hour. A poll that is
 * under way is never aborted while there is time: SQS may have hidden messages for it already, which would then be nobody's
 * for as long as they are hidden. So a long poll may bring more than there are free slots by then, or come after the
 * container was told to stop: what cannot be run is given back at once.
 *
 * Every message that is received is run, and deleted if its work says so, or it is given back.
 */
export class LanePoller {
  readonly #deps: LanePollerDeps;
  readonly #priorities: readonly Priority[];
  readonly #turns: PriorityScheduler;
  readonly #bell = new WakeSignal();
  /** Aborted when no new task is to be begun. */
  readonly #stop = new AbortController();
  /** Aborted when running tasks are to be handed back. */
  readonly #requeue = new AbortController();
  /** Aborted when not even a poll can be waited for. */
  readonly #abandon = new AbortController();
  readonly #inProgress = new Set<Promise<void>>();
  /** Long polls under way. */
  readonly #long = new Set<Priority>();
  /** Queues whose last poll, a long one, came back empty with nothing taken since: no need to ask them shortly. */
  readonly #dry = new Set<Priority>();
  /** Queues that are left alone for a while after a failure. */
  readonly #failing = new Set<Priority>();
  readonly #failures: Record<Priority, number> = { high: 0, normal: 0, low: 0 };
  #running = 0;
  /** Polls whose messages are in hand, but neither begun nor given back. */
  #inHand = 0;
  /** Why no new tasks are taken for now. */
  readonly #pauses = new Set<PauseReason>();
  /** ECS refused to protect the task, and has not been asked since. */
  #refused = false;
  #lastPollAt: number | undefined;

  constructor(deps: LanePollerDeps) {
    this.#deps = deps;
    this.#priorities = deps.priorities ?? PRIORITIES;
    this.#turns = new PriorityScheduler(deps.shares, deps.random);
  }

  /** Tasks that run. */
  get running(): number {
    return this.#running;
  }

  /** When SQS last answered, in the cloud's time. */
  get lastPollAt(): number | undefined {
    return this.#lastPollAt;
  }

  /** Whether no new tasks are taken for now: paused, or ECS refused to protect the task. */
  get isPaused(): boolean {
    return this.#paused || this.#refused;
  }

  /** Polls until it is told to stop. Ends when nothing is under way any more. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (this.#free <= 0 || this.#paused) {
        this.#rest();
        await this.#bell.wait();
      } else if (this.#refused) {
        await this.#askAgain();
      } else if (!(await this.#round())) {
        this.#rest();
        this.#openLongPolls();
        await this.#bell.wait();
      }
    }
    while (this.#inProgress.size > 0) {
      this.#rest();
      await this.#bell.wait();
    }
    await this.#deps.protection.release();
  }

  /** Begins no task any more. */
  stop(): void {
    this.#stop.abort();
    this.#bell.notify();
  }

  /**
   * Ends the tasks that run, with what they have finished, so that another worker goes on.
   *
   * @param reason what becomes of them. @default they are handed back, and the attempt does not count
   */
  requeue(reason: AgentError = new TaskRequeuedError('worker_stopping')): void {
    this.#requeue.abort(reason);
  }

  /** Does not wait for polls either. */
  abortPolls(): void {
    this.#abandon.abort();
  }

  /** Takes no new tasks until this reason, and any other, is gone: those that run go on. */
  pause(reason: PauseReason): void {
    this.#pauses.add(reason);
    this.#bell.notify();
  }

  resume(reason: PauseReason): void {
    this.#pauses.delete(reason);
    this.#bell.notify();
  }

  get #paused(): boolean {
    return this.#pauses.size > 0;
  }

  get #free(): number {
    return this.#deps.slots - this.#running;
  }

  get #taking(): boolean {
    return this.#free > 0 && !this.#paused && !this.#refused && !this.#stop.signal.aborted;
  }

  /** Asks the queues one after the other, while there are slots. @returns whether there is reason for another round */
  async #round(): Promise<boolean> {
    let found = false;
    for (const priority of this.#turns.next()) {
      if (!this.#taking) {
        return true;
      }
      if (this.#isOpen(priority) && !this.#dry.has(priority)) {
        found = (await this.#poll(priority, 0)) || found;
      }
    }
    return found;
  }

  #openLongPolls(): void {
    for (const priority of PRIORITIES) {
      if (this.#taking && this.#isOpen(priority)) {
        this.#long.add(priority);
        this.#keep(
          this.#poll(priority, LONG_POLL_SECONDS).then((found) => {
            this.#long.delete(priority);
            if (!found) {
              this.#dry.add(priority);
            }
          }),
        );
      }
    }
  }

  /** Whether the queue can be polled now. */
  #isOpen(priority: Priority): boolean {
    return this.#priorities.includes(priority) && !this.#long.has(priority) && !this.#failing.has(priority);
  }

  /** @returns whether messages came. Does not reject. */
  async #poll(priority: Priority, waitSeconds: number): Promise<boolean> {
    const { messages, clock } = this.#deps;
    const most = Math.min(MAX_PER_POLL, this.#free);
    let received: readonly SqsRecord[];
    try {
      received = await messages.receive(priority, most, waitSeconds, this.#abandon.signal);
      this.#failures[priority] = 0;
      this.#lastPollAt = clock.now();
    } catch (error) {
      this.#failed(priority, error);
      return false;
    }
    if (received.length > 0) {
      await this.#take(priority, received);
    }
    return received.length > 0;
  }

  async #take(priority: Priority, received: readonly SqsRecord[]): Promise<void> {
    this.#dry.clear();
    this.#inHand += 1;
    if (this.#taking && (await this.#deps.protection.acquire()) === 'refused') {
      this.#refused = true;
    }
    for (const message of received) {
      if (this.#taking) {
        this.#start(priority, message);
      } else {
        this.#keep(this.#return(priority, message));
      }
    }
    this.#inHand -= 1;
  }

  #start(priority: Priority, message: SqsRecord): void {
    this.#running += 1;
    this.#keep(
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
      // Whoever gets the message next finds out what was done.
      logger.error('message left in its queue: processing or deleting it failed', {
        component: 'poller',
        messageId: message.messageId,
        outcome: 'error',
        reason: messageOf(error),
      });
    }
  }

  async #return(priority: Priority, message: SqsRecord): Promise<void> {
    const { messages, logger } = this.#deps;
    try {
      await messages.requeue(priority, message);
    } catch (error) {
      logger.warn('a message that could not be run was not given back, it comes back by itself', {
        component: 'poller',
        messageId: message.messageId,
        outcome: 'error',
        reason: messageOf(error),
      });
    }
  }

  #failed(priority: Priority, error: unknown): void {
    if (this.#abandon.signal.aborted) {
      return;
    }
    const { random, logger } = this.#deps;
    this.#failures[priority] += 1;
    const { first, longest } = FAILURE_PAUSE_MS;
    const bound = Math.min(longest, first * 2 ** Math.min(this.#failures[priority] - 1, 10));
    const pauseMs = (bound * (1 + random())) / 2;
    logger.warn('a queue could not be polled, it is left alone for a while', {
      component: 'poller',
      priority,
      outcome: 'error',
      failures: this.#failures[priority],
      pauseMs: Math.round(pauseMs),
      reason: messageOf(error),
    });
    this.#failing.add(priority);
    this.#keep(this.#pause(pauseMs).then(() => this.#failing.delete(priority)));
  }

  /** A task that ECS does not protect is about to go: it takes nothing before ECS has said otherwise. */
  async #askAgain(): Promise<void> {
    const { random, protection } = this.#deps;
    await this.#pause(REFUSED_PAUSE_MS * (1 + REFUSED_JITTER * random()));
    this.#refused = !this.#stop.signal.aborted && (await protection.acquire()) === 'refused';
  }

  /** Nothing runs and nothing waits: ECS may stop the task. */
  #rest(): void {
    if (this.#running + this.#inHand === 0) {
      void this.#deps.protection.release();
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return this.#deps.clock.sleep(milliseconds, this.#stop.signal).catch(() => undefined);
  }

  #keep(work: Promise<unknown>): void {
    const kept: Promise<void> = work.then(() => {
      this.#inProgress.delete(kept);
      this.#bell.notify();
    });
    this.#inProgress.add(kept);
  }
}
