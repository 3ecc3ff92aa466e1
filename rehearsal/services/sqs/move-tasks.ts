import { randomUUID } from 'node:crypto';
import type { RehearsalClock, Timer } from '../../core/clock';
import { ServiceError } from '../../core/service';
import type { Queue } from './queue';
import type { Queues } from './queues';

/** Default and maximum rate. Messages a second. */
const MAX_PER_SECOND = 500;

interface MoveTask {
  readonly handle: string;
  readonly source: Queue;
  readonly destination: Queue | undefined;
  readonly perSecond: number;
  readonly requestedPerSecond: number | undefined;
  readonly toMove: number;
  readonly startedAt: number;
  moved: number;
  status: 'RUNNING' | 'COMPLETED' | 'CANCELLED' | 'FAILED';
  failureReason: string | undefined;
  timer: Timer | undefined;
}

/**
 * Moves the messages of a dead-letter queue to their source queues, or to a queue that the caller names, at a rate per second
 * of cloud time.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
 */
export class MoveTasks {
  readonly #clock: RehearsalClock;
  readonly #queues: Queues;
  readonly #tasks: MoveTask[] = [];

  constructor(clock: RehearsalClock, queues: Queues) {
    this.#clock = clock;
    this.#queues = queues;
  }

  start(sourceArn: string, destinationArn: string | undefined, perSecond: number | undefined): string {
    const source = this.#source(sourceArn);
    if (this.#queues.sourcesOf(source).length === 0) {
      throw new ServiceError('InvalidParameterValue', 'Source queue must be configured as a Dead Letter Queue.');
    }
    const destination = destinationArn === undefined ? undefined : this.#queues.byArn(destinationArn);
    if (destinationArn !== undefined && destination === undefined) {
      throw new ServiceError(
        'ResourceNotFoundException',
        "The resource that you specified for the DestinationArn parameter doesn't exist.",
        404,
      );
    }
    if (perSecond !== undefined && (perSecond < 1 || perSecond > MAX_PER_SECOND)) {
      throw new ServiceError(
        'InvalidParameterValue',
        `Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be an integer from 1 to ${MAX_PER_SECOND}.`,
      );
    }
    if (this.#tasks.some((task) => task.source === source && task.status === 'RUNNING')) {
      throw new ServiceError(
        'UnsupportedOperation',
        'There is already a task running. Only one active task is allowed for a source queue arn at a given time.',
      );
    }
    const task: MoveTask = {
      handle: Buffer.from(JSON.stringify({ taskId: randomUUID(), sourceArn })).toString('base64'),
      source,
      destination,
      perSecond: perSecond ?? MAX_PER_SECOND,
      requestedPerSecond: perSecond,
      toMove: source.sizes().visible,
      startedAt: this.#clock.now(),
      moved: 0,
      status: 'RUNNING',
      failureReason: undefined,
      timer: undefined,
    };
    this.#tasks.unshift(task);
    task.timer = this.#clock.after(0, () => this.#moveSome(task));
    return task.handle;
  }

  /** Newest first. */
  list(sourceArn: string, max: number): readonly Record<string, unknown>[] {
    const source = this.#source(sourceArn);
    return this.#tasks
      .filter((task) => task.source === source)
      .slice(0, max)
      .map((task) => ({
        ...(task.status === 'RUNNING' ? { TaskHandle: task.handle } : {}),
        Status: task.status,
        SourceArn: sourceArn,
        ...(task.destination === undefined ? {} : { DestinationArn: task.destination.arn }),
        MaxNumberOfMessagesPerSecond: task.requestedPerSecond,
        ApproximateNumberOfMessagesMoved: task.moved,
        ApproximateNumberOfMessagesToMove: task.toMove,
        FailureReason: task.failureReason,
        StartedTimestamp: Math.floor(task.startedAt),
      }));
  }

  /** @returns the number of messages moved so far; they stay moved */
  cancel(handle: string): number {
    const task = this.#tasks.find((candidate) => candidate.handle === handle);
    if (task === undefined || task.status !== 'RUNNING') {
      throw new ServiceError('ResourceNotFoundException', 'Task does not exist.', 404);
    }
    task.timer?.cancel();
    task.status = 'CANCELLED';
    return task.moved;
  }

  stop(): void {
    for (const task of this.#tasks) {
      task.timer?.cancel();
    }
  }

  /** ARN of the queue that the handle's task moves from; undefined for an unknown handle. */
  sourceArnOf(handle: string): string | undefined {
    return this.#tasks.find((task) => task.handle === handle)?.source.arn;
  }

  #source(arn: string): Queue {
    const queue = this.#queues.byArn(arn);
    if (queue === undefined) {
      throw new ServiceError(
        'ResourceNotFoundException',
        "The resource that you specified for the SourceArn parameter doesn't exist.",
        404,
      );
    }
    return queue;
  }

  #moveSome(task: MoveTask): void {
    const left = task.toMove - task.moved;
    const batch = task.source.removeForMove(Math.min(task.perSecond, left));
    for (const message of batch) {
      const target = task.destination ?? this.#queues.byArn(message.deadLetterSource ?? '');
      if (target === undefined) {
        task.source.addMoved(message);
        task.status = 'FAILED';
        task.failureReason = 'CouldNotDetermineMessageSource';
        return;
      }
      target.addMoved(message);
      task.moved += 1;
    }
    if (batch.length === 0 || task.moved >= task.toMove) {
      task.status = 'COMPLETED';
      return;
    }
    task.timer = this.#clock.after(1000, () => this.#moveSome(task));
  }
}
