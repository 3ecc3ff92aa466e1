/** Tells callers that their tasks have ended: takes tasks from the webhook queue and delivers their webhooks. */
import { Env } from '../../lib/contract';
import { documentClient } from '../common/clients/dynamodb';
import { secretsManagerClient } from '../common/clients/secrets-manager';
import { sqsClient } from '../common/clients/sqs';
import { systemClock } from '../common/clock';
import { createLogger } from '../common/logger';
import { once } from '../common/once';
import { readSettings } from '../common/settings';
import type { SqsBatchResponse } from '../common/sqs-event';
import { TaskTable } from '../common/task-table';
import { type DeliverProps, deliverBatch } from './deliver';
import { systemResolver } from './destination';
import { post } from './post';
import { settingsSchema } from './settings';
import { SigningKeys } from './signing-keys';
import type { WebhookSqsRecord } from './webhook-message';
import { WebhookMetrics } from './webhook-metrics';
import { WebhookQueue } from './webhook-queue';
import { WebhookRecords } from './webhook-records';

const dependencies = once((): DeliverProps => {
  const settings = readSettings(settingsSchema);
  const agent = settings[Env.AGENT];
  const clock = systemClock();
  const dynamodb = documentClient();
  const destinations = { privateHosts: settings[Env.WEBHOOK_PRIVATE_HOSTS], resolve: systemResolver };
  return {
    agent,
    tasks: new TaskTable(dynamodb, settings[Env.TASKS_TABLE]),
    records: new WebhookRecords(dynamodb, settings[Env.TASKS_TABLE]),
    queue: new WebhookQueue(sqsClient(), settings[Env.WEBHOOK_QUEUE], settings[Env.WEBHOOK_DEAD_LETTER_QUEUE]),
    keys: new SigningKeys(secretsManagerClient(), settings[Env.WEBHOOK_SECRET], clock),
    post: (request, signal) => post(request, destinations, signal),
    retryMs: settings[Env.WEBHOOK_RETRY_SECONDS] * 1_000,
    clock,
    logger: createLogger({ component: 'webhook', agent }, clock),
    metrics: new WebhookMetrics(agent, clock),
    random: Math.random,
  };
});

export async function handler(event: { readonly Records: readonly WebhookSqsRecord[] }): Promise<SqsBatchResponse> {
  return await deliverBatch(event.Records, dependencies());
}
