/**
 * The router: accepts tasks over the HTTP API (`POST /tasks`) and from the inbox queue, records each, and sends it to a
 * lane. Its alias `live` is what CodeDeploy shifts; see decision.ts for how the alias's weights become lanes.
 */
import * as z from 'zod';
import { backlogLimitsSchema, budgetsSchema, Dimension, Env } from '../../../lib/contract';
import { cloudWatchClient } from '../../shared/aws/clients/cloudwatch';
import { documentClient } from '../../shared/aws/clients/dynamodb';
import { lambdaClient } from '../../shared/aws/clients/lambda';
import { s3Client } from '../../shared/aws/clients/s3';
import { sqsClient } from '../../shared/aws/clients/sqs';
import { type SqsBatchResponse, sqsEventSchema } from '../../shared/aws/sqs-event';
import { BacklogCount } from '../../shared/backlog/backlog-count';
import { ControlTableBacklog } from '../../shared/backlog/backlog-store';
import { BacklogView } from '../../shared/backlog/backlog-view';
import { Backpressure } from '../../shared/backlog/backpressure';
import { BudgetBook } from '../../shared/budgets/budget-book';
import { ControlTableBudgets } from '../../shared/budgets/budget-store';
import { systemClock } from '../../shared/clock';
import type { HttpEvent, HttpResponse } from '../../shared/http/http';
import { lazy } from '../../shared/lazy';
import { readAlias } from '../../shared/routing/alias';
import { RoutingRepository } from '../../shared/routing/routing-repository';
import { RoutingView } from '../../shared/routing/routing-view';
import { queueUrlsSchema, readSettings, setting } from '../../shared/settings';
import { PayloadStore } from '../../shared/tasks/payload-store';
import { TaskQueues } from '../../shared/tasks/task-queues';
import { TaskRepository } from '../../shared/tasks/task-repository';
import { MetricEmitter } from '../../shared/telemetry/emf';
import { createLogger } from '../../shared/telemetry/logger';
import { handleHttpRequest } from './http-handler';
import { handleSqsBatch } from './inbox-handler';
import { TaskIntake } from './task-intake';

const settingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.RELEASE]: setting.text,
  [Env.AUTH]: z.enum(['iam', 'jwt']),
  [Env.TASKS_TABLE]: setting.text,
  [Env.CONTROL_TABLE]: setting.text,
  [Env.QUEUES]: setting.json(queueUrlsSchema),
  [Env.TASK_RETENTION_DAYS]: setting.count,
  [Env.PAYLOAD_BUCKET]: setting.text,
  [Env.BACKLOG_LIMITS]: setting.json(backlogLimitsSchema),
  [Env.BUDGETS]: setting.json(budgetsSchema).optional(),
  [Env.WEBHOOK_QUEUE]: z.url().optional(),
  [Env.WEBHOOK_PRIVATE_HOSTS]: setting.json(z.array(z.string().min(1).toLowerCase())).default([]),
  AWS_LAMBDA_FUNCTION_NAME: setting.text,
});

const dependencies = lazy(() => {
  const settings = readSettings(settingsSchema);
  const agent = settings[Env.AGENT];
  const clock = systemClock();
  const logger = createLogger({ component: 'router', agent, release: settings[Env.RELEASE] }, clock);
  const metrics = new MetricEmitter({ dimensions: { [Dimension.AGENT]: agent }, clock });
  const onProblem = (message: string, error: unknown) => logger.warn(message, { error: error as Error });
  const dynamodb = documentClient();
  // One attempt: the view tries again by itself, and a caller waits meanwhile.
  const lambda = lambdaClient({ requestTimeout: 2_000, maxAttempts: 1 });
  const routing = new RoutingView({
    store: new RoutingRepository(dynamodb, settings[Env.CONTROL_TABLE]),
    alias: () => readAlias(lambda, settings.AWS_LAMBDA_FUNCTION_NAME),
    clock,
    onProblem,
  });
  // A caller waits while the queues are counted: what does not answer at once is asked again later.
  const failFastClientConfig = { requestTimeout: 1_500, maxAttempts: 1 };
  const count = new BacklogCount({
    sqs: sqsClient(failFastClientConfig),
    cloudwatch: cloudWatchClient(failFastClientConfig),
    urls: settings[Env.QUEUES],
    clock,
  });
  const backlog = new BacklogView({
    store: new ControlTableBacklog(dynamodb, settings[Env.CONTROL_TABLE]),
    count: (before) => count.take(before),
    clock,
    onProblem,
  });
  const budgets = settings[Env.BUDGETS];
  const intake = new TaskIntake({
    agent,
    retentionDays: settings[Env.TASK_RETENTION_DAYS],
    routing,
    tasks: new TaskRepository(dynamodb, settings[Env.TASKS_TABLE]),
    queues: new TaskQueues(sqsClient(), settings[Env.QUEUES]),
    // Four megabytes may take their time, but two attempts have to fit into the function's.
    payloads: new PayloadStore(s3Client({ requestTimeout: 6_000, maxAttempts: 2 }), settings[Env.PAYLOAD_BUCKET]),
    backpressure: new Backpressure({ backlog, limits: settings[Env.BACKLOG_LIMITS] }),
    budgets:
      budgets?.onExceeded !== 'refuse'
        ? undefined
        : new BudgetBook({
            settings: budgets,
            store: new ControlTableBudgets(dynamodb, settings[Env.CONTROL_TABLE]),
            clock,
          }),
    clock,
    logger,
    metrics,
  });
  const webhooks =
    settings[Env.WEBHOOK_QUEUE] === undefined ? undefined : { privateHosts: settings[Env.WEBHOOK_PRIVATE_HOSTS] };
  return {
    intake,
    logger,
    metrics,
    auth: settings[Env.AUTH],
    webhooks,
  };
});

export async function handler(
  event: HttpEvent | { readonly Records: unknown },
): Promise<HttpResponse | SqsBatchResponse> {
  return 'Records' in event
    ? await handleSqsBatch(sqsEventSchema.parse(event), dependencies())
    : await handleHttpRequest(event, dependencies(), process.env._X_AMZN_TRACE_ID);
}
