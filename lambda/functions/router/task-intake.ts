import {
  BudgetMetric,
  Dimension,
  HttpErrorCode,
  INTAKE_DIMENSION_SETS,
  IntakeMetric,
  type LaneName,
  MAX_INLINE_BYTES,
  PayloadKey,
  type Priority,
  sha256,
  type TaskRecord,
  type TaskStatus,
} from '../../../lib/contract';
import type { Overload } from '../../shared/backlog/overload';
import type { ExceededBudget } from '../../shared/budgets/budget-book';
import type { Clock } from '../../shared/clock';
import { Refusal } from '../../shared/http/http';
import { orRefuse } from '../../shared/http/refusals';
import { chooseLane } from '../../shared/routing/decision';
import type { RoutingState } from '../../shared/routing/routing-repository';
import type { PayloadStore } from '../../shared/tasks/payload-store';
import type { TaskQueues } from '../../shared/tasks/task-queues';
import type { TaskRepository } from '../../shared/tasks/task-repository';
import type { MetricEmitter } from '../../shared/telemetry/emf';
import type { Log } from '../../shared/telemetry/logger';
import { newTask, requestDigestOf, type StoredInput, taskIdOf } from './new-task';
import type { Submission } from './submission';

export interface TaskIntakeDeps {
  readonly agent: string;
  readonly retentionDays: number;
  readonly routing: { current(): Promise<RoutingState | undefined> };
  readonly tasks: Pick<TaskRepository, 'create' | 'get' | 'discard'>;
  readonly queues: Pick<TaskQueues, 'send'>;
  readonly payloads: Pick<PayloadStore, 'put'>;
  readonly backpressure: { overload(lane: LaneName, priority: Priority): Promise<Overload | undefined> };
  /** Absent: there are none, or tasks past them are let in. */
  readonly budgets?: { exceeded(user: string): Promise<ExceededBudget | undefined> } | undefined;
  readonly clock: Clock;
  readonly logger: Log;
  readonly metrics: MetricEmitter;
}

export interface Accepted {
  readonly id: string;
  readonly status: TaskStatus;
}

export interface SubmitOptions {
  /** Accepts the task despite overload or an exhausted budget. @default false */
  readonly despiteOverload?: boolean;
}

/**
 * Accepts tasks: chooses the lane, stores the input if it is large, records the task, sends it to the lane's queue, in this
 * order, so that nothing is ever in a queue without its record, nor a record without its input. One write and one message
 * for a task that comes once.
 *
 * What may go wrong between record and message:
 * - the message could not be sent, and the request has an idempotency key: the record stays, the caller is told to repeat
 *   with the same key, and the repeat sends the message;
 * - without a key a repeat would make another task, so the record is removed. If a worker has claimed it by then, the
 *   message did arrive (only its receipt was lost), and the task is accepted after all.
 *
 * An input that no record refers to expires with the rest of the bucket.
 */
export class TaskIntake {
  readonly #deps: TaskIntakeDeps;

  constructor(deps: TaskIntakeDeps) {
    this.#deps = deps;
  }

  /** @throws Refusal idempotency_conflict, overloaded, budget_exceeded, unavailable or internal */
  async submit(submission: Submission, { despiteOverload = false }: SubmitOptions = {}): Promise<Accepted> {
    const { agent, backpressure, clock, logger, metrics, retentionDays, routing, tasks } = this.#deps;
    const id = taskIdOf(agent, submission);
    const requestDigest = requestDigestOf(submission);
    const state = await routing.current();
    const now = clock.now();
    const decision = chooseLane(state, now, agent, submission.user);
    const { lane } = decision;
    const overload = despiteOverload ? undefined : await backpressure.overload(lane, submission.priority);
    const exceeded = despiteOverload ? undefined : await this.#exceeded(submission.user);
    const text = JSON.stringify(submission.input);
    const isLarge = Buffer.byteLength(text) > MAX_INLINE_BYTES;
    if (submission.idempotencyKey !== undefined && (overload !== undefined || exceeded !== undefined || isLarge)) {
      // A repeat is not to be turned away, nor to send megabytes once more. Other repeats are met by the write below.
      const present = await orRefuse('the task could not be read', () => tasks.get(id));
      if (present !== undefined && present.expiresAt >= Math.floor(now / 1000)) {
        return await this.#repeat(present, requestDigest, submission);
      }
    }
    if (overload !== undefined) {
      this.#countInLane(IntakeMetric.SHED, lane);
      throw overloaded(overload, submission.priority);
    }
    if (exceeded !== undefined) {
      metrics.count(BudgetMetric.EXCEEDED);
      throw overBudget(exceeded);
    }
    const stored = isLarge ? await this.#store(id, text) : { input: submission.input as TaskRecord['input'] };
    const task = newTask({ id, agent, submission, requestDigest, stored, lane, now, retentionDays });
    const created = await orRefuse('the task could not be recorded', () => tasks.create(task));
    if (!created) {
      const present = await orRefuse('the task could not be read', () => tasks.get(id));
      return await this.#repeat(present, requestDigest, submission);
    }
    try {
      await this.#send(task, submission);
    } catch (error) {
      if (submission.idempotencyKey === undefined && !(await this.#withdraw(task))) {
        logger.warn('sending failed, but a worker has claimed the task: accepted', {
          task: task.id,
          error: error as Error,
        });
      } else {
        throw error;
      }
    }
    this.#countInLane(IntakeMetric.ACCEPTED, task.lane);
    logger.info('task accepted', { task: task.id, priority: task.priority, ...decision });
    return { id: task.id, status: task.status };
  }

  /** The id is taken: by the same request, or by another one with the same key. */
  async #repeat(present: TaskRecord | undefined, requestDigest: string, submission: Submission): Promise<Accepted> {
    if (present === undefined) {
      // The first request removed it, or it expired, between the write and the read.
      throw new Refusal(HttpErrorCode.UNAVAILABLE, 'the task was just removed; send the request again');
    }
    if (present.requestDigest !== requestDigest) {
      throw new Refusal(
        HttpErrorCode.IDEMPOTENCY_CONFLICT,
        `the idempotency key was used for another request (task ${present.id}): use a key of its own for each request`,
      );
    }
    if (present.status === 'queued') {
      // The first request may have failed to send. If it did not, the lease lets one worker run.
      await this.#send(present, submission);
    }
    this.#deps.logger.info('task repeated', { task: present.id, lane: present.lane, status: present.status });
    return { id: present.id, status: present.status };
  }

  /** Budgets that cannot be read refuse no task: the worker looks again before it spends. */
  async #exceeded(user: string): Promise<ExceededBudget | undefined> {
    try {
      return await this.#deps.budgets?.exceeded(user);
    } catch (error) {
      this.#deps.logger.warn('the budgets could not be read; the task is accepted', { error: error as Error });
      return undefined;
    }
  }

  async #store(taskId: string, text: string): Promise<StoredInput> {
    const key = PayloadKey.input(taskId, sha256(text));
    return {
      inputRef: await orRefuse('the input could not be stored', () => this.#deps.payloads.put(key, text)),
    };
  }

  async #send(task: TaskRecord, { traceHeader, idempotencyKey }: Submission): Promise<void> {
    const advice = idempotencyKey === undefined ? undefined : 'repeat it with the same idempotency key';
    await orRefuse('the task could not be queued', () => this.#deps.queues.send(task, traceHeader), advice);
  }

  /** @returns false if a worker has claimed the task */
  async #withdraw(task: TaskRecord): Promise<boolean> {
    const { logger, tasks } = this.#deps;
    try {
      return await tasks.discard(task.id);
    } catch (error) {
      logger.warn('a task that could not be queued could not be removed: it stays queued until it expires', {
        task: task.id,
        error: error as Error,
      });
      return true;
    }
  }

  #countInLane(metric: string, lane: LaneName): void {
    this.#deps.metrics.withDimensions({ [Dimension.LANE]: lane }, INTAKE_DIMENSION_SETS).count(metric);
  }
}

function overloaded({ queue, ageSeconds, limitSeconds, retryAfterSeconds }: Overload, priority: Priority): Refusal {
  return new Refusal(
    HttpErrorCode.OVERLOADED,
    `queue '${queue}' is overloaded for tasks of priority ${priority}: the age of its oldest message, ${ageSeconds} s, ` +
      `exceeds ${limitSeconds} s; retry after ${retryAfterSeconds} s`,
    undefined,
    { retryAfterSeconds },
  );
}

function overBudget({ message, endsInMs }: ExceededBudget): Refusal {
  return new Refusal(HttpErrorCode.BUDGET_EXCEEDED, message, undefined, {
    retryAfterSeconds: Math.ceil(endsInMs / 1000),
  });
}
