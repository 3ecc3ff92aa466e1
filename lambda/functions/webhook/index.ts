/** Tells callers that their tasks have ended: takes tasks from the webhook queue and delivers their webhooks. */
import { Dimension, Env } from '../../../lib/contract';
import { documentClient } from '../../shared/aws/clients/dynamodb';
import { secretsManagerClient } from '../../shared/aws/clients/secrets-manager';
import { sqsClient } from '../../shared/aws/clients/sqs';
import { type SqsBatchResponse, sqsEventSchema } from '../../shared/aws/sqs-event';
import { systemClock } from '../../shared/clock';
import { lazy } from '../../shared/lazy';
import { readSettings } from '../../shared/settings';
import { TaskRepository } from '../../shared/tasks/task-repository';
import { MetricEmitter } from '../../shared/telemetry/emf';
import { createLogger } from '../../shared/telemetry/logger';
import { type DeliverDeps, deliverBatch } from './deliver';
import { systemResolver } from './destination';
import { post } from './post';
import { webhookSettingsSchema } from './settings';
import { SigningKeys } from './signing-keys';
import { WebhookQueue } from './webhook-queue';

const dependencies = lazy((): DeliverDeps => {
  const settings = readSettings(webhookSettingsSchema);
  const agent = settings[Env.AGENT];
  const clock = systemClock();
  const dynamodb = documentClient();
  const destinations = { privateHosts: settings[Env.WEBHOOK_PRIVATE_HOSTS], resolve: systemResolver };
  return {
    agent,
    tasks: new TaskRepository(dynamodb, settings[Env.TASKS_TABLE]),
    queue: new WebhookQueue(sqsClient(), settings[Env.WEBHOOK_QUEUE], settings[Env.WEBHOOK_DEAD_LETTER_QUEUE]),
    keys: new SigningKeys(secretsManagerClient(), settings[Env.WEBHOOK_SECRET], clock),
    post: (request, signal) => post(request, destinations, signal),
    retryMs: settings[Env.WEBHOOK_RETRY_SECONDS] * 1_000,
    clock,
    logger: createLogger({ component: 'webhook', agent }, clock),
    metrics: new MetricEmitter({ dimensions: { [Dimension.AGENT]: agent }, clock }),
    random: Math.random,
  };
});

export async function handler(event: unknown): Promise<SqsBatchResponse> {
  return await deliverBatch(sqsEventSchema.parse(event).Records, dependencies());
}
