import { createHash, randomUUID } from 'node:crypto';
import type { RehearsalClock, Timer } from '../../core/clock';
import { LinkedList, type ListNode } from '../../core/linked-list';
import { type QueueEntry, RoundRobinQueue } from '../../core/round-robin-queue';
import { DueHeap } from './due-heap';
import type { MessageAttributes } from './message-attributes';
import { queueArn } from './model';

/** Attributes of a queue that can be set; seconds and bytes. */
export interface QueueSettings {
  readonly delaySeconds: number;
  readonly maximumMessageSize: number;
  readonly messageRetentionSeconds: number;
  readonly receiveWaitSeconds: number;
  readonly visibilityTimeoutSeconds: number;
  readonly redrive?: { readonly deadLetterTargetArn: string; readonly maxReceiveCount: number };
  readonly kmsKeyArn?: string;
}

/** @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html */
export const DEFAULT_SETTINGS: QueueSettings = {
  delaySeconds: 0,
  maximumMessageSize: 1_048_576,
  messageRetentionSeconds: 345_600,
  receiveWaitSeconds: 0,
  visibilityTimeoutSeconds: 30,
};

/** Messages that may be in flight in a standard queue. */
const MAX_IN_FLIGHT = 120_000;

/** A message received more often than this no longer counts for the age of the oldest message. */
const MAX_RECEIVES_FOR_AGE = 3;

export interface NewMessage {
  readonly body: string;
  readonly attributes?: MessageAttributes;
  readonly groupId?: string;
  readonly traceHeader?: string;
  readonly senderId?: string;
  /** Seconds. @default the queue's delay */
  readonly delaySeconds?: number;
}

/** A message as one receive saw it. */
export interface Delivery {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly md5OfBody: string;
  readonly attributes: MessageAttributes;
  readonly systemAttributes: Readonly<Record<string, string>>;
}

export interface ReceiveOptions {
  readonly max: number;
  /** Seconds. @default the queue's */
  readonly visibilityTimeoutSeconds?: number;
  /** Keeps the messages invisible until {@link Queue.release} or {@link Queue.delete}. @default false */
  readonly inFlightUntilReleased?: boolean;
}

/** What the queue counted since the last {@link Queue.drainCounts}. */
export interface QueueCounts {
  readonly sent: number;
  readonly sentBytes: number;
  readonly received: number;
  readonly emptyReceives: number;
  readonly deleted: number;
}

export type ReceiptHandleProblem = 'malformed' | 'deleted' | 'not_in_flight' | 'too_long';

interface Message {
  readonly id: string;
  readonly body: string;
  readonly md5: string;
  readonly attributes: MessageAttributes;
  readonly groupId: string | undefined;
  readonly traceHeader: string | undefined;
  readonly senderId: string;
  /** Counts for the retention; kept on the way to a dead-letter queue. */
  readonly sentAt: number;
  /** Counts for the age metric: when it came into this queue. */
  readonly enqueuedAt: number;
  readonly deadLetterSource: string | undefined;
  firstReceivedAt: number | undefined;
  receives: number;
  state: 'delayed' | 'visible' | 'in_flight' | 'held' | 'deleted';
  lastReceivedAt: number;
  /** When a delayed or invisible message becomes visible. */
  visibleAt: number;
  place: QueueEntry<Message> | undefined;
  age: ListNode<Message> | undefined;
}

interface Waiter {
  readonly options: ReceiveOptions;
  readonly resolve: (deliveries: readonly Delivery[]) => void;
}

/**
 * One standard queue. An operation reads only the messages that it concerns: a heap keeps those that become visible at a
 * certain time, a line keeps those that are visible, and a new message wakes the long polls.
 *
 * Stricter than SQS, which promises less: counts are exact, delivery happens once per receive, a stale receipt handle
 * deletes nothing.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
 */
export class Queue {
  readonly #clock: RehearsalClock;
  /** Where the redrive policy finds the dead-letter queue. */
  readonly #findQueue: (arn: string) => Queue | undefined;
  readonly arn: string;
  readonly createdAt: number;
  #current: QueueSettings;
  readonly #messages = new Map<string, Message>();
  /**
   * Visible messages, in turns by message group. SQS itself holds back only groups that it finds noisy ("fair queues");
   * with the few consumers of a rehearsal, turns come to the same.
   * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
   */
  readonly #visible = new RoundRobinQueue<Message>();
  readonly #due = new DueHeap<{ readonly message: Message; readonly at: number }>();
  /** In the order of arrival, without those that were received too often to count. */
  readonly #ages = new LinkedList<Message>();
  readonly #waiters = new LinkedList<Waiter>();
  readonly #counts = { sent: 0, sentBytes: 0, received: 0, emptyReceives: 0, deleted: 0 };
  #delayed = 0;
  #invisible = 0;
  /** No message expires before this time. */
  #earliestExpiry = Number.POSITIVE_INFINITY;
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #servingPlanned = false;
  #deleted = false;

  constructor(
    readonly name: string,
    settings: QueueSettings,
    clock: RehearsalClock,
    findQueue: (arn: string) => Queue | undefined,
  ) {
    this.#clock = clock;
    this.#findQueue = findQueue;
    this.arn = queueArn(name);
    this.#current = settings;
    this.createdAt = clock.now();
  }

  get settings(): QueueSettings {
    return this.#current;
  }

  /** Messages now in the three states; their sum is everything in the queue. */
  sizes(): { readonly visible: number; readonly notVisible: number; readonly delayed: number } {
    this.#advance();
    return { visible: this.#visible.size, notVisible: this.#invisible, delayed: this.#delayed };
  }

  /** Of all messages, be they visible or not. */
  bodies(): readonly string[] {
    return [...this.#messages.values()].map(({ body }) => body);
  }

  /** Cloud milliseconds that the oldest message has been here; 0 when there is none. */
  ageOfOldest(): number {
    const oldest = this.#ages.first;
    return oldest === undefined ? 0 : Math.max(0, this.#clock.now() - oldest.enqueuedAt);
  }

  /** Returns the counts and resets them to zero. */
  drainCounts(): QueueCounts {
    const taken = { ...this.#counts };
    this.#counts.sent = 0;
    this.#counts.sentBytes = 0;
    this.#counts.received = 0;
    this.#counts.emptyReceives = 0;
    this.#counts.deleted = 0;
    return taken;
  }

  send(message: NewMessage, size: number): { readonly messageId: string; readonly md5OfBody: string } {
    const now = this.#clock.now();
    const added = this.#enqueue(
      {
        id: randomUUID(),
        body: message.body,
        md5: createHash('md5').update(message.body).digest('hex'),
        attributes: message.attributes ?? {},
        groupId: message.groupId,
        traceHeader: message.traceHeader,
        senderId: message.senderId ?? 'AROAREHEARSAL:service',
        sentAt: now,
        deadLetterSource: undefined,
        receives: 0,
        firstReceivedAt: undefined,
      },
      (message.delaySeconds ?? this.settings.delaySeconds) * 1000,
    );
    this.#counts.sent += 1;
    this.#counts.sentBytes += size;
    return { messageId: added.id, md5OfBody: added.md5 };
  }

  /** What can be received at once. */
  receive(options: ReceiveOptions): readonly Delivery[] {
    this.#advance();
    const deliveries = this.#take(options);
    if (deliveries.length === 0) {
      this.#counts.emptyReceives += 1;
    }
    return deliveries;
  }

  /** Long poll: resolves as soon as there is something, empty after `waitMilliseconds` of cloud time or on abort. */
  receiveWaiting(options: ReceiveOptions, waitMilliseconds: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    this.#advance();
    const first = this.#take(options);
    if (first.length > 0 || signal.aborted || this.#deleted || waitMilliseconds <= 0) {
      this.#counts.emptyReceives += first.length === 0 ? 1 : 0;
      return Promise.resolve(first);
    }
    return new Promise((resolve) => {
      const finish = (deliveries: readonly Delivery[]) => {
        this.#waiters.remove(node);
        timer?.cancel();
        signal.removeEventListener('abort', giveUp);
        this.#counts.emptyReceives += deliveries.length === 0 ? 1 : 0;
        resolve(deliveries);
      };
      const giveUp = () => finish([]);
      const node = this.#waiters.push({ options, resolve: finish });
      const timer = Number.isFinite(waitMilliseconds) ? this.#clock.after(waitMilliseconds, giveUp) : undefined;
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /**
   * Deletes by the handle of the latest receive, whether the message is invisible or visible again. A stale handle, or
   * that of a deleted message, is answered with success, as SQS does; it deletes nothing.
   */
  delete(receiptHandle: string): 'malformed' | undefined {
    const found = this.#find(receiptHandle);
    if (found === 'malformed') {
      return 'malformed';
    }
    if (typeof found === 'object') {
      this.#delete(found);
      this.#counts.deleted += 1;
    }
    return undefined;
  }

  /**
   * Restarts the visibility timeout now. A held message stays held until {@link release}, which uses the new timeout.
   *
   * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
   */
  changeVisibility(receiptHandle: string, seconds: number): ReceiptHandleProblem | undefined {
    this.#advance();
    const found = this.#find(receiptHandle);
    if (typeof found !== 'object') {
      return found;
    }
    if (found.state !== 'in_flight' && found.state !== 'held') {
      return 'not_in_flight';
    }
    const now = this.#clock.now();
    if ((now - found.lastReceivedAt) / 1000 + seconds > 43_200) {
      return 'too_long';
    }
    found.visibleAt = now + seconds * 1000;
    if (found.state === 'in_flight') {
      this.#scheduleReappearance(found);
    }
    return undefined;
  }

  /**
   * Ends the hold of a message: it becomes visible when its visibility timeout, counted from the receive (or from the
   * last change of it), is over, at once if that has passed. Does nothing for a message that was deleted or received again.
   */
  release(receiptHandle: string): void {
    const found = this.#find(receiptHandle);
    if (typeof found === 'object' && found.state === 'held') {
      found.state = 'in_flight';
      this.#scheduleReappearance(found);
      this.#advance();
    }
  }

  purge(): void {
    for (const message of [...this.#messages.values()]) {
      this.#delete(message);
    }
  }

  /** Takes up to `max` visible messages out of the queue for good, oldest turns first: what a move task does. */
  removeForMove(max: number): readonly MovedMessage[] {
    this.#advance();
    const taken: MovedMessage[] = [];
    while (taken.length < max) {
      const message = this.#visible.take();
      if (message === undefined) {
        break;
      }
      message.place = undefined;
      const { body, md5, attributes, groupId, traceHeader, senderId, deadLetterSource } = message;
      taken.push({ body, md5, attributes, groupId, traceHeader, senderId, deadLetterSource });
      this.#remove(message);
    }
    return taken;
  }

  /** Puts in what a move task took out of a dead-letter queue: to SQS a new message with a new id. */
  addMoved(moved: MovedMessage): void {
    this.#enqueue(
      {
        ...moved,
        id: randomUUID(),
        sentAt: this.#clock.now(),
        deadLetterSource: undefined,
        receives: 0,
        firstReceivedAt: undefined,
      },
      0,
    );
  }

  /** Removes messages past their retention. */
  expire(): void {
    const now = this.#clock.now();
    const retention = this.settings.messageRetentionSeconds * 1000;
    if (now < this.#earliestExpiry) {
      return;
    }
    this.#earliestExpiry = Number.POSITIVE_INFINITY;
    for (const message of [...this.#messages.values()]) {
      if (message.sentAt + retention <= now) {
        this.#delete(message);
      } else {
        this.#earliestExpiry = Math.min(this.#earliestExpiry, message.sentAt + retention);
      }
    }
  }

  change(settings: QueueSettings): void {
    this.#current = settings;
    // The retention may have become shorter.
    this.#earliestExpiry = 0;
  }

  /** Deletes the queue with its messages, and ends waiting receives. */
  close(): void {
    this.#deleted = true;
    this.purge();
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      waiter.resolve([]);
    }
  }

  #enqueue(content: MessageContent, delayMilliseconds: number): Message {
    const now = this.#clock.now();
    const message: Message = {
      id: content.id,
      body: content.body,
      md5: content.md5,
      attributes: content.attributes,
      groupId: content.groupId,
      traceHeader: content.traceHeader,
      senderId: content.senderId,
      sentAt: content.sentAt,
      deadLetterSource: content.deadLetterSource,
      firstReceivedAt: content.firstReceivedAt,
      receives: content.receives,
      enqueuedAt: now,
      state: 'delayed',
      lastReceivedAt: 0,
      visibleAt: now + delayMilliseconds,
      place: undefined,
      age: undefined,
    };
    this.#messages.set(message.id, message);
    message.age = this.#ages.push(message);
    this.#earliestExpiry = Math.min(
      this.#earliestExpiry,
      content.sentAt + this.settings.messageRetentionSeconds * 1000,
    );
    if (delayMilliseconds > 0) {
      this.#delayed += 1;
      this.#scheduleReappearance(message);
    } else {
      this.#makeVisible(message);
    }
    return message;
  }

  #makeVisible(message: Message): void {
    message.state = 'visible';
    message.place = this.#visible.add(message.groupId, message);
    if (this.#waiters.size > 0 && !this.#servingPlanned) {
      // Not at once, so that a batch that is being sent can be received as one.
      this.#servingPlanned = true;
      queueMicrotask(() => {
        this.#servingPlanned = false;
        this.#serveWaiters();
      });
    }
  }

  #serveWaiters(): void {
    while (this.#visible.size > 0) {
      const waiter = this.#waiters.first;
      if (waiter === undefined) {
        return;
      }
      const deliveries = this.#take(waiter.options);
      if (deliveries.length === 0) {
        return;
      }
      waiter.resolve(deliveries);
    }
  }

  #take(options: ReceiveOptions): readonly Delivery[] {
    const now = this.#clock.now();
    const deliveries: Delivery[] = [];
    while (deliveries.length < options.max && this.#invisible < MAX_IN_FLIGHT) {
      const message = this.#visible.take();
      if (message === undefined) {
        break;
      }
      message.place = undefined;
      if (message.sentAt + this.settings.messageRetentionSeconds * 1000 <= now) {
        this.#remove(message);
      } else if (!this.#moveToDeadLetters(message)) {
        deliveries.push(this.#deliver(message, options, now));
      }
    }
    return deliveries;
  }

  #deliver(message: Message, options: ReceiveOptions, now: number): Delivery {
    message.receives += 1;
    message.firstReceivedAt ??= now;
    message.lastReceivedAt = now;
    message.visibleAt = now + (options.visibilityTimeoutSeconds ?? this.settings.visibilityTimeoutSeconds) * 1000;
    message.state = options.inFlightUntilReleased === true ? 'held' : 'in_flight';
    this.#invisible += 1;
    this.#counts.received += 1;
    if (message.receives > MAX_RECEIVES_FOR_AGE && message.age !== undefined) {
      this.#ages.remove(message.age);
    }
    if (message.state === 'in_flight') {
      this.#scheduleReappearance(message);
    }
    const systemAttributes: Record<string, string> = {
      SenderId: message.senderId,
      SentTimestamp: String(Math.floor(message.sentAt)),
      ApproximateReceiveCount: String(message.receives),
      ApproximateFirstReceiveTimestamp: String(Math.floor(message.firstReceivedAt)),
    };
    if (message.groupId !== undefined) {
      systemAttributes.MessageGroupId = message.groupId;
    }
    if (message.traceHeader !== undefined) {
      systemAttributes.AWSTraceHeader = message.traceHeader;
    }
    if (message.deadLetterSource !== undefined) {
      systemAttributes.DeadLetterQueueSourceArn = message.deadLetterSource;
    }
    return {
      messageId: message.id,
      receiptHandle: encodeReceipt({ queue: this.name, messageId: message.id, receive: message.receives }),
      body: message.body,
      md5OfBody: message.md5,
      attributes: message.attributes,
      systemAttributes,
    };
  }

  /** A message received as often as the policy allows is moved when it would be received once more, with its id. */
  #moveToDeadLetters(message: Message): boolean {
    const { redrive } = this.settings;
    if (redrive === undefined || message.receives < redrive.maxReceiveCount) {
      return false;
    }
    const target = this.#findQueue(redrive.deadLetterTargetArn);
    if (target === undefined) {
      return false;
    }
    const { id, body, md5, attributes, groupId, traceHeader, senderId, sentAt, firstReceivedAt, receives } = message;
    this.#remove(message);
    target.#enqueue(
      {
        id,
        body,
        md5,
        attributes,
        groupId,
        traceHeader,
        senderId,
        sentAt,
        deadLetterSource: this.arn,
        firstReceivedAt,
        receives,
      },
      0,
    );
    return true;
  }

  #find(receiptHandle: string): Message | 'malformed' | 'deleted' {
    const receipt = decodeReceipt(receiptHandle);
    if (receipt === undefined || receipt.queue !== this.name) {
      return 'malformed';
    }
    const message = this.#messages.get(receipt.messageId);
    return message !== undefined && message.receives === receipt.receive ? message : 'deleted';
  }

  #delete(message: Message): void {
    if (message.place !== undefined) {
      this.#visible.remove(message.place);
      message.place = undefined;
    }
    this.#remove(message);
  }

  #remove(message: Message): void {
    if (message.state === 'in_flight' || message.state === 'held') {
      this.#invisible -= 1;
    } else if (message.state === 'delayed') {
      this.#delayed -= 1;
    }
    message.state = 'deleted';
    if (message.age !== undefined) {
      this.#ages.remove(message.age);
    }
    this.#messages.delete(message.id);
  }

  #scheduleReappearance(message: Message): void {
    this.#due.add(message.visibleAt, { message, at: message.visibleAt });
    this.#arm();
  }

  /** Shows what is due by now. An entry of the heap that was overtaken by a later change is passed over. */
  #advance(): void {
    const now = this.#clock.now();
    for (let entry = this.#due.takeDue(now); entry !== undefined; entry = this.#due.takeDue(now)) {
      const { message, at } = entry;
      if (message.visibleAt !== at) {
        continue;
      }
      if (message.state === 'delayed') {
        this.#delayed -= 1;
        this.#makeVisible(message);
      } else if (message.state === 'in_flight') {
        this.#invisible -= 1;
        this.#makeVisible(message);
      }
    }
    this.#arm();
  }

  #arm(): void {
    const at = this.#due.nextAt;
    if (at === this.#timer?.at) {
      return;
    }
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    if (at !== undefined && !this.#deleted) {
      const timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
        this.#timer = undefined;
        this.#advance();
      });
      this.#timer = { at, timer };
    }
  }
}

/** What a move task carries from one queue to another. */
export type MovedMessage = Pick<
  Message,
  'body' | 'md5' | 'attributes' | 'groupId' | 'traceHeader' | 'senderId' | 'deadLetterSource'
>;

type MessageContent = MovedMessage & Pick<Message, 'id' | 'sentAt' | 'firstReceivedAt' | 'receives'>;

/** Content of a receipt handle: one receive of one message from one queue. */
export interface Receipt {
  readonly queue: string;
  readonly messageId: string;
  /** Counts the receives of the message: a handle of an earlier receive is stale. */
  readonly receive: number;
}

const FORM = /^([A-Za-z0-9_-]{1,80}) ([0-9a-f-]{36}) (\d+)$/;

export function encodeReceipt({ queue, messageId, receive }: Receipt): string {
  return Buffer.from(`${queue} ${messageId} ${receive}`).toString('base64');
}

/** Undefined for anything that {@link encodeReceipt} did not write. */
export function decodeReceipt(handle: string): Receipt | undefined {
  const [, queue, messageId, receive] = FORM.exec(Buffer.from(handle, 'base64').toString()) ?? [];
  return queue === undefined || messageId === undefined ? undefined : { queue, messageId, receive: Number(receive) };
}
