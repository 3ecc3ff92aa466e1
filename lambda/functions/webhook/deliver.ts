import {
  FINAL_STATUSES,
  type TaskRecord,
  WebhookDeadLetterReason,
  WebhookHeader,
  WebhookMetric,
} from '../../../lib/contract';
import type { SqsBatchResponse, SqsRecord } from '../../shared/aws/sqs-event';
import { type Clock, startRealTimer, stopwatch } from '../../shared/clock';
import { describeError } from '../../shared/errors';
import { TaskUnreadableError } from '../../shared/tasks/task-item';
import type { TaskRepository } from '../../shared/tasks/task-repository';
import type { MetricEmitter } from '../../shared/telemetry/emf';
import type { Log } from '../../shared/telemetry/logger';
import { traceRootOf } from '../../shared/telemetry/trace-header';
import { RefusedDestination } from './destination';
import { notificationOf } from './notification';
import type { Answer, Post } from './post';
import { retryDelayMs } from './retry-delay';
import { SigningKeyError, signatureOf } from './signature';
import { parseWebhookMessage } from './webhook-message';
import { isRedriven, type WebhookQueue } from './webhook-queue';

/** Real milliseconds that a receiver has to answer, redirects and name resolution included. */
const ANSWER_LIMIT_MS = 10_000;

const GONE = 410;

export interface DeliverDeps {
  readonly agent: string;
  readonly tasks: Pick<TaskRepository, 'get' | 'markWebhookDelivered' | 'markWebhookAbandoned'>;
  readonly queue: Pick<WebhookQueue, 'postpone' | 'moveToDeadLetterQueue'>;
  readonly keys: { current(): Promise<readonly Buffer[]> };
  readonly post: (post: Post, signal: AbortSignal) => Promise<Answer>;
  /** Milliseconds after a task's end in which its webhook is tried. */
  readonly retryMs: number;
  readonly clock: Clock;
  readonly logger: Log;
  readonly metrics: MetricEmitter;
  /** 0 to 1. */
  readonly random: () => number;
}

type EndedTask = TaskRecord & {
  readonly finishedAt: number;
  readonly webhook: NonNullable<TaskRecord['webhook']>;
};

/** What came of one attempt to deliver. */
type Outcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'failed'; readonly retryAfter?: string }
  | { readonly kind: 'hopeless'; readonly reason: WebhookDeadLetterReason };

/**
 * Delivers the webhooks of a batch, each at least once: the record is marked after the receiver has answered, and the
 * message goes after the record is marked. Whatever ends the function in between, the message comes again, and what it
 * finds in the record tells what is left to do.
 *
 * An abandoned webhook goes to the dead-letter queue first, then into the record: in the other order, the record could say
 * "abandoned" while no queue has the webhook. A webhook that is moved back from the dead-letter queue is tried once more.
 */
export async function deliverBatch(records: readonly SqsRecord[], props: DeliverDeps): Promise<SqsBatchResponse> {
  const outcomes = await Promise.all(
    records.map(async (record) => {
      const done = await deliver(record, props).catch(async (error: unknown) => {
        props.logger.error('webhook delivery failed; the message will be retried', {
          message: record.messageId,
          error: error as Error,
        });
        await postpone(record, props, retryDelayMs(attemptOf(record, props, Number.POSITIVE_INFINITY), props.random()));
        return false;
      });
      return done ? undefined : { itemIdentifier: record.messageId };
    }),
  );
  return { batchItemFailures: outcomes.filter((outcome) => outcome !== undefined) };
}

/** @returns true when the message has nothing more to do */
async function deliver(record: SqsRecord, props: DeliverDeps): Promise<boolean> {
  const { agent, clock, logger, metrics, queue, retryMs, tasks } = props;
  const parsed = parseWebhookMessage(record.body, agent);
  if (!parsed.ok) {
    logger.error('unreadable message moved to the dead-letter queue', {
      message: record.messageId,
      reason: parsed.reason,
    });
    await queue.moveToDeadLetterQueue(record, WebhookDeadLetterReason.INVALID_MESSAGE, receivesOf(record));
    metrics.count(WebhookMetric.ABANDONED);
    return true;
  }
  const { taskId } = parsed.message;
  const task = await tasks.get(taskId).catch((error: unknown) => {
    if (error instanceof TaskUnreadableError) {
      return error;
    }
    throw error;
  });
  if (task instanceof TaskUnreadableError) {
    logger.error('webhook abandoned: the record of its task is unreadable', { task: taskId, reason: task.reason });
    await queue.moveToDeadLetterQueue(record, WebhookDeadLetterReason.UNREADABLE_TASK, receivesOf(record));
    metrics.count(WebhookMetric.ABANDONED);
    return true;
  }
  if (!isOwed(task, record)) {
    logger.info('no webhook to deliver', { task: taskId, status: task?.status ?? 'unknown' });
    return true;
  }
  const outcome = await attempt(task, record, props);
  if (outcome.kind === 'delivered') {
    await tasks.markWebhookDelivered(task, clock.now());
    return true;
  }
  const until = task.finishedAt + retryMs;
  if (outcome.kind === 'hopeless' || clock.now() >= until) {
    const reason = outcome.kind === 'hopeless' ? outcome.reason : WebhookDeadLetterReason.RETRIES_EXPIRED;
    await queue.moveToDeadLetterQueue(record, reason, receivesOf(record));
    await tasks.markWebhookAbandoned(task, clock.now());
    metrics.count(WebhookMetric.ABANDONED);
    logger.error('webhook abandoned', { task: taskId, host: hostOf(task), reason });
    return true;
  }
  const wait = retryDelayMs({ ...attemptOf(record, props, until), retryAfter: outcome.retryAfter }, props.random());
  await postpone(record, props, wait);
  return false;
}

/** Whether the webhook of a task's end is still due. A redriven task ends later, and another message reports that end. */
function isOwed(task: TaskRecord | undefined, record: SqsRecord): task is EndedTask {
  return (
    task?.webhook !== undefined &&
    task.finishedAt !== undefined &&
    FINAL_STATUSES.includes(task.status) &&
    task.webhookDeliveredAt === undefined &&
    (task.webhookAbandonedAt === undefined || isRedriven(record))
  );
}

async function attempt(task: EndedTask, record: SqsRecord, props: DeliverDeps): Promise<Outcome> {
  const { logger, metrics } = props;
  const trace = traceRootOf(task.trace);
  const line = {
    task: task.id,
    host: hostOf(task),
    attempt: receivesOf(record),
    trace,
  };
  const milliseconds = stopwatch();
  try {
    const { status, host, retryAfter } = await send(task, props);
    const answered = { ...line, host, status, durationMs: Math.round(milliseconds()) };
    if (status >= 200 && status < 300) {
      logger.info('webhook delivered', answered);
      metrics.count(WebhookMetric.DELIVERED);
      return { kind: 'delivered' };
    }
    logger.warn('webhook rejected by the receiver', answered);
    metrics.count(WebhookMetric.FAILED);
    if (status === GONE) {
      return { kind: 'hopeless', reason: WebhookDeadLetterReason.RECEIVER_GONE };
    }
    return { kind: 'failed', retryAfter };
  } catch (error) {
    const failed = { ...line, durationMs: Math.round(milliseconds()), reason: describeError(error) };
    if (error instanceof SigningKeyError) {
      logger.error('webhook not delivered', failed);
    } else {
      logger.warn('webhook not delivered', failed);
    }
    metrics.count(WebhookMetric.FAILED);
    return error instanceof RefusedDestination && error.lasting
      ? { kind: 'hopeless', reason: WebhookDeadLetterReason.DESTINATION_NOT_ALLOWED }
      : { kind: 'failed' };
  }
}

async function send(task: EndedTask, { clock, keys, post }: DeliverDeps): Promise<Answer> {
  const { id, body } = notificationOf(task);
  const signing = await keys.current().catch((cause: unknown) => {
    throw new SigningKeyError(`it cannot be signed: ${describeError(cause)}`, { cause });
  });
  const timestamp = Math.floor(clock.now() / 1_000);
  const limit = new AbortController();
  const cancel = startRealTimer(ANSWER_LIMIT_MS, () =>
    limit.abort(new Error(`no answer after ${ANSWER_LIMIT_MS / 1_000} s`)),
  );
  try {
    return await post(
      {
        url: task.webhook.url,
        headers: {
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(body)),
          'user-agent': 'cdk-agent-lanes',
          [WebhookHeader.ID]: id,
          [WebhookHeader.TIMESTAMP]: String(timestamp),
          [WebhookHeader.SIGNATURE]: signatureOf({ id, timestamp, body }, signing),
        },
        body,
      },
      limit.signal,
    );
  } finally {
    cancel();
  }
}

/** A message that cannot be postponed comes after the queue's own visibility timeout. */
async function postpone(record: SqsRecord, props: DeliverDeps, wait: number): Promise<void> {
  await props.queue.postpone(record, wait).catch((error: unknown) => {
    props.logger.warn('message could not be postponed', { message: record.messageId, reason: describeError(error) });
  });
}

function attemptOf(record: SqsRecord, { clock }: DeliverDeps, until: number) {
  return { number: receivesOf(record), now: clock.now(), until };
}

function receivesOf({ attributes }: SqsRecord): number {
  return Math.max(1, attributes.ApproximateReceiveCount);
}

/** For the log: path and query of the URL are the caller's business. */
function hostOf({ webhook }: EndedTask): string {
  return URL.canParse(webhook.url) ? new URL(webhook.url).host : 'unknown';
}
