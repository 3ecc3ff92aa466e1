import { LanePoller } from '../../../../../lambda/functions/container/lane-poller';
import type { Protection } from '../../../../../lambda/functions/container/task-protection';
import type { AgentError } from '../../../../../lambda/runtime/errors';
import type { SqsRecord } from '../../../../../lambda/shared/aws/sqs-event';
import type { MessageDisposition } from '../../../../../lambda/worker/message/worker-message';
import { DEFAULT_PRIORITY_SHARES, type Priority } from '../../../../../lib/contract';
import { ManualClock } from '../../../../support/manual-clock';

/** Milliseconds that a received message stays hidden. */
const HIDDEN_MS = 95_000;

export interface Arrival {
  /** Milliseconds after the start. */
  readonly at: number;
  readonly priority: Priority;
  readonly task: WorldTask;
}

/** What becomes of a message when it is worked on. */
export interface WorldTask {
  readonly runsMs: number;
  /** `throws`: the worker itself fails. */
  readonly ends: 'delete' | 'leave' | 'throws';
  /** Milliseconds that a requeue takes when the container must stop. Undefined: it does not listen. */
  readonly requeueMs?: number | undefined;
}

export interface WorldOptions {
  readonly slots: number;
  readonly arrivals: readonly Arrival[];
  /** From 0 up to 1: chance of latencies, failures and refusals. */
  readonly random: () => number;
  /** Share of calls of SQS that fail. @default none */
  readonly failing?: number;
  /** Share of answers of ECS that refuse, and of calls that find no ECS agent. @default none */
  readonly refusing?: number;
  readonly unavailable?: number;
  readonly shares?: Readonly<Record<Priority, number>>;
  /** Milliseconds of the slowest call. @default 200 */
  readonly slowest?: number;
}

interface Message {
  readonly id: string;
  readonly priority: Priority;
  readonly task: WorldTask;
  visibleAt: number;
  deleted: boolean;
}

/** What happened to one receive of a message. */
interface Receipt {
  readonly message: Message;
  run?: boolean;
  ended?: boolean;
  deleted?: boolean;
  returned?: boolean;
}

/** SQS, ECS and a worker in no time at all: everything happens on one clock that stands still in between. */
export class PollerWorld {
  readonly clock = new ManualClock();
  readonly poller: LanePoller;
  /** What went wrong. */
  readonly broken: string[] = [];
  readonly receipts: Receipt[] = [];
  /** Priorities of tasks in the order in which they began. */
  readonly begun: Priority[] = [];
  readonly calls = { receive: 0, delete: 0, requeue: 0, acquire: 0, release: 0 };
  /** By seconds waited. */
  readonly receives: Record<number, number> = {};
  /** Deliveries that were taken by a poll which was aborted. */
  lostToAbort = 0;
  isProtected = false;
  running = 0;
  /** Since when nothing runs. */
  idleSince: number;
  readonly #messages: Message[] = [];
  readonly #byHandle = new Map<string, Receipt>();
  #acquiring = 0;
  #lastGrant: Protection = 'protected';
  #sequence = 0;

  readonly #options: WorldOptions;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { slots, arrivals, random, shares = DEFAULT_PRIORITY_SHARES } = options;
    this.idleSince = this.clock.now();
    this.poller = new LanePoller({
      messages: {
        receive: (priority, most, waitSeconds, signal) => this.#receive(priority, most, waitSeconds, signal),
        delete: (_, record) => this.#delete(record),
        requeue: (_, record, milliseconds) => this.#requeue(record, milliseconds),
      },
      shares,
      slots,
      protection: { acquire: () => this.#acquire(), release: () => this.#release() },
      process: (record, stop) => this.#work(record, stop),
      clock: this.clock,
      random,
      logger: { info: () => {}, warn: () => {}, error: () => {} },
    });
    for (const arrival of arrivals) {
      this.clock.after(arrival.at, () => this.arrive(arrival.priority, arrival.task));
    }
  }

  arrive(priority: Priority, task: WorldTask): void {
    this.#sequence += 1;
    this.#messages.push({
      id: `m${this.#sequence}`,
      priority,
      task,
      visibleAt: this.clock.now(),
      deleted: false,
    });
  }

  /** Messages that wait in a queue, visible. */
  waiting(priority: Priority): number {
    return this.#visible(priority).length;
  }

  /** Messages that are not deleted. */
  get left(): number {
    return this.#messages.filter(({ deleted }) => !deleted).length;
  }

  #visible(priority: Priority): Message[] {
    return this.#messages.filter(
      (message) => message.priority === priority && !message.deleted && message.visibleAt <= this.clock.now(),
    );
  }

  async #latency(): Promise<void> {
    await this.clock.sleep(1 + Math.floor(this.#options.random() * (this.#options.slowest ?? 200)));
  }

  async #receive(
    priority: Priority,
    most: number,
    waitSeconds: number,
    signal: AbortSignal | undefined,
  ): Promise<SqsRecord[]> {
    this.calls.receive += 1;
    this.receives[waitSeconds] = (this.receives[waitSeconds] ?? 0) + 1;
    if (most < 1 || most > 10 || most > this.#options.slots - this.running) {
      this.broken.push(`asked for ${most} messages while ${this.running} tasks run`);
    }
    await this.#latency();
    if (this.#options.random() < (this.#options.failing ?? 0)) {
      throw new Error('SQS is away');
    }
    const until = this.clock.now() + waitSeconds * 1_000;
    while (this.#visible(priority).length === 0 && this.clock.now() < until && signal?.aborted !== true) {
      await this.clock.sleep(Math.min(500, until - this.clock.now()));
    }
    const taken = this.#visible(priority).slice(0, Math.min(most, 1 + Math.floor(this.#options.random() * most)));
    for (const message of taken) {
      message.visibleAt = this.clock.now() + HIDDEN_MS;
    }
    await this.#latency();
    if (signal?.aborted === true) {
      this.lostToAbort += taken.length;
      throw signal.reason;
    }
    return taken.map((message) => {
      const receipt: Receipt = { message };
      const receiptHandle = `${message.id}-${this.receipts.length}`;
      this.receipts.push(receipt);
      this.#byHandle.set(receiptHandle, receipt);
      return { messageId: message.id, receiptHandle, body: message.id, attributes: { ApproximateReceiveCount: 1 } };
    });
  }

  #receiptOf({ receiptHandle }: SqsRecord): Receipt {
    const receipt = this.#byHandle.get(receiptHandle);
    if (receipt === undefined) {
      throw new Error(`no receipt ${receiptHandle}`);
    }
    return receipt;
  }

  async #delete(record: SqsRecord): Promise<void> {
    this.calls.delete += 1;
    const receipt = this.#receiptOf(record);
    if (receipt.ended !== true) {
      this.broken.push(`${record.messageId} is deleted, and its task did not end`);
    }
    await this.#latency();
    receipt.deleted = true;
    receipt.message.deleted = true;
  }

  async #requeue(record: SqsRecord, milliseconds = 0): Promise<void> {
    this.calls.requeue += 1;
    const receipt = this.#receiptOf(record);
    if (receipt.run === true || receipt.returned === true) {
      this.broken.push(`${record.messageId} is returned after it was ${receipt.run === true ? 'run' : 'returned'}`);
    }
    receipt.returned = true;
    await this.#latency();
    receipt.message.visibleAt = this.clock.now() + milliseconds;
  }

  async #acquire(): Promise<Protection> {
    this.calls.acquire += 1;
    if (this.isProtected) {
      return 'protected';
    }
    this.#acquiring += 1;
    await this.#latency();
    this.#acquiring -= 1;
    const draw = this.#options.random();
    const { refusing = 0, unavailable = 0 } = this.#options;
    this.#lastGrant = draw < refusing ? 'refused' : draw < refusing + unavailable ? 'unprotected' : 'protected';
    this.isProtected = this.#lastGrant === 'protected';
    return this.#lastGrant;
  }

  async #release(): Promise<void> {
    this.calls.release += 1;
    if (this.#acquiring > 0) {
      this.broken.push('protection is released while it is asked for');
    }
    if (this.isProtected) {
      if (this.running > 0) {
        this.broken.push('protection is released while a task runs');
      }
      this.isProtected = false;
      await this.#latency();
    }
  }

  async #work(record: SqsRecord, stop: AbortSignal): Promise<MessageDisposition> {
    const receipt = this.#receiptOf(record);
    const { runsMs, ends, requeueMs } = receipt.message.task;
    if (receipt.run === true || receipt.returned === true) {
      this.broken.push(`${record.messageId} is run after it was ${receipt.run === true ? 'run' : 'returned'}`);
    }
    receipt.run = true;
    // By its heartbeats.
    receipt.message.visibleAt = Number.POSITIVE_INFINITY;
    this.begun.push(receipt.message.priority);
    this.running += 1;
    if (this.running > this.#options.slots) {
      this.broken.push(`${this.running} tasks run at once`);
    }
    if (this.#lastGrant === 'refused' || (this.#lastGrant === 'protected' && !this.isProtected)) {
      this.broken.push('a task runs without protection');
    }
    try {
      const stopped = await this.clock.sleep(runsMs, requeueMs === undefined ? undefined : stop).then(
        () => undefined,
        (reason: AgentError) => reason,
      );
      if (stopped !== undefined) {
        // A message of its own was sent for the next worker, so this one has done its service.
        await this.clock.sleep(requeueMs ?? 0);
        receipt.ended = true;
        return 'delete';
      }
      if (ends === 'throws') {
        throw new Error('the worker failed');
      }
      receipt.ended = ends === 'delete';
      return ends;
    } finally {
      receipt.message.visibleAt = this.clock.now() + HIDDEN_MS;
      this.running -= 1;
      this.idleSince = this.clock.now();
    }
  }
}
