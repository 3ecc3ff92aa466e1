/** The status API: `GET` and `DELETE /tasks/{id}`, `POST /tasks/{id}/feedback`. */
import * as z from 'zod';
import { Dimension, Env } from '../../../lib/contract';
import { cloudWatchClient } from '../../shared/aws/clients/cloudwatch';
import { documentClient } from '../../shared/aws/clients/dynamodb';
import { s3Client } from '../../shared/aws/clients/s3';
import { sqsClient } from '../../shared/aws/clients/sqs';
import { BacklogCount } from '../../shared/backlog/backlog-count';
import { ControlTableBacklog } from '../../shared/backlog/backlog-store';
import { BacklogView } from '../../shared/backlog/backlog-view';
import { systemClock } from '../../shared/clock';
import type { HttpEvent, HttpResponse } from '../../shared/http/http';
import { lazy } from '../../shared/lazy';
import { queueUrlsSchema, readSettings, setting } from '../../shared/settings';
import { PayloadStore } from '../../shared/tasks/payload-store';
import { TaskRepository } from '../../shared/tasks/task-repository';
import { WebhookOutbox } from '../../shared/tasks/webhook-outbox';
import { MetricEmitter } from '../../shared/telemetry/emf';
import { createLogger } from '../../shared/telemetry/logger';
import { FeedbackStore } from './feedback-store';
import { answerStatusApi, type StatusApiDeps } from './status-api';

const settingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.AUTH]: z.enum(['iam', 'jwt']),
  [Env.TASKS_TABLE]: setting.text,
  [Env.CONTROL_TABLE]: setting.text,
  [Env.QUEUES]: setting.json(queueUrlsSchema),
  [Env.PAYLOAD_BUCKET]: setting.text,
  [Env.TASK_RETENTION_DAYS]: setting.count,
  [Env.WEBHOOK_QUEUE]: z.url().optional(),
});

const dependencies = lazy((): StatusApiDeps => {
  const settings = readSettings(settingsSchema);
  const agent = settings[Env.AGENT];
  const clock = systemClock();
  const logger = createLogger({ component: 'api', agent }, clock);
  const dynamodb = documentClient();
  const tasksTable = settings[Env.TASKS_TABLE];
  const webhookQueue = settings[Env.WEBHOOK_QUEUE];
  // The place in line is worth no long wait.
  const failFastClientConfig = { requestTimeout: 1_500, maxAttempts: 1 };
  const count = new BacklogCount({
    sqs: sqsClient(failFastClientConfig),
    cloudwatch: cloudWatchClient(failFastClientConfig),
    urls: settings[Env.QUEUES],
    clock,
  });
  return {
    tasks: new TaskRepository(dynamodb, tasksTable),
    feedback: new FeedbackStore(dynamodb, tasksTable),
    payloads: new PayloadStore(s3Client(), settings[Env.PAYLOAD_BUCKET]),
    backlog: new BacklogView({
      store: new ControlTableBacklog(dynamodb, settings[Env.CONTROL_TABLE]),
      count: (before) => count.take(before),
      clock,
      onProblem: (message, error) => logger.warn(message, { error: error as Error }),
    }),
    webhooks: webhookQueue === undefined ? undefined : new WebhookOutbox(sqsClient(), webhookQueue),
    retentionDays: settings[Env.TASK_RETENTION_DAYS],
    auth: settings[Env.AUTH],
    clock,
    logger,
    metrics: new MetricEmitter({ dimensions: { [Dimension.AGENT]: agent }, clock }),
  };
});

export async function handler(event: HttpEvent): Promise<HttpResponse> {
  return await answerStatusApi(event, dependencies());
}
