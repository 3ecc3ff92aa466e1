import type { Logger } from '@aws-lambda-powertools/logger';
import { Dimension } from '../../lib/contract';
import type { AgentDefinition } from '../runtime/agent';
import { validateAgentSettings } from '../runtime/agent-settings';
import type { AttemptEnvironment } from '../runtime/context';
import { AppConfigFlags } from '../runtime/flags/appconfig-flags';
import { JournalStore } from '../runtime/journal/journal-store';
import { BudgetGuard } from '../runtime/limits/budget-guard';
import { ModelChain } from '../runtime/model/model-chain';
import { RateLimitStore } from '../runtime/rate-limiter/rate-limit-store';
import type { RateLimiter } from '../runtime/rate-limiter/rate-limiter';
import { SharedRateLimiter } from '../runtime/rate-limiter/shared-rate-limiter';
import type { Validated } from '../runtime/schema';
import { SecretReader } from '../runtime/secrets';
import { SessionStore } from '../runtime/sessions';
import { compileToolSchemas } from '../runtime/tools';
import { documentClient, dynamoDbClient } from '../shared/aws/clients/dynamodb';
import { s3Client } from '../shared/aws/clients/s3';
import { sqsClient } from '../shared/aws/clients/sqs';
import type { SqsRecord } from '../shared/aws/sqs-event';
import { BudgetBook } from '../shared/budgets/budget-book';
import { ControlTableBudgets } from '../shared/budgets/budget-store';
import { Spending } from '../shared/budgets/spending';
import { type Clock, systemClock } from '../shared/clock';
import { messageOf } from '../shared/errors';
import { lazyAsync } from '../shared/lazy';
import { Revocation } from '../shared/routing/revocation';
import { RoutingRepository } from '../shared/routing/routing-repository';
import { PayloadStore } from '../shared/tasks/payload-store';
import { TaskLeases } from '../shared/tasks/task-leases';
import { TaskQueues } from '../shared/tasks/task-queues';
import { WebhookOutbox } from '../shared/tasks/webhook-outbox';
import { MetricEmitter } from '../shared/telemetry/emf';
import { createLogger, type Log } from '../shared/telemetry/logger';
import { Tracer } from '../shared/telemetry/tracing';
import { leaseTimes } from './lease/lease-times';
import { UserConcurrencyLimiter } from './lease/user-concurrency-limiter';
import { loadBehavior } from './load-behavior';
import { DeadLetterSender } from './message/dead-letter-sender';
import type { MessageDisposition } from './message/worker-message';
import type { WorkerSettings } from './settings';
import { readWorkerSettings } from './settings';
import { TaskProcessor } from './task-processor';

/** A task processor with what its entry point needs beside it. */
export interface CreatedTaskProcessor {
  /** See {@link TaskProcessor.process}. */
  readonly process: (message: SqsRecord, remainingMs: () => number, stop?: AbortSignal) => Promise<MessageDisposition>;
  readonly logger: Logger;
  /** The agent's own settings, validated once. */
  readonly agentSettings: () => Promise<Validated<unknown>>;
}

/** Overrides for an entry point that has its own settings, clock or tracer. */
export interface CreateTaskProcessorOptions {
  readonly settings?: WorkerSettings;
  readonly clock?: Clock;
  /** @default sends documents to the X-Ray daemon of the Lambda environment */
  readonly tracer?: Tracer;
}

/**
 * Creates a task processor and its clients from the environment.
 *
 * @throws SettingsError naming every setting that is missing or wrong
 */
export function createTaskProcessor<I, O, S>(
  definition: AgentDefinition<I, O, S>,
  {
    settings = readWorkerSettings(),
    clock = systemClock(),
    tracer = new Tracer(clock),
  }: CreateTaskProcessorOptions = {},
): CreatedTaskProcessor {
  const { settings: schema } = definition;
  const agentSettings = lazyAsync(
    async (): Promise<Validated<unknown>> =>
      schema === undefined ? { ok: true, value: undefined } : validateAgentSettings(schema, process.env),
  );
  // The agent's settings are validated before it runs, so the code below needs no type for them.
  const agent = definition as AgentDefinition<I, O>;
  const client = documentClient();
  const s3 = s3Client();
  const sqs = sqsClient();
  const times = leaseTimes();
  const payloads = new PayloadStore(s3, settings.payloadBucket);
  const logger = createLogger({ component: 'worker', agent: settings.agent, release: settings.release });
  const secrets = new SecretReader(settings.secrets, clock);
  const flags =
    settings.flags === undefined
      ? undefined
      : new AppConfigFlags({ settings: settings.flags, clock, random: Math.random, logger });
  const book =
    settings.budgets === undefined
      ? undefined
      : new BudgetBook({
          settings: settings.budgets,
          store: new ControlTableBudgets(client, settings.controlTable),
          clock,
        });
  const environment = lazyAsync(async (): Promise<AttemptEnvironment> => {
    const behavior = await loadBehavior(s3, settings);
    return {
      behavior,
      settings: await agentSettings(),
      tools: compileToolSchemas(behavior.tools),
      secrets,
      models: new ModelChain({ behavior, secrets, clock, limiter: limiterOf(settings, clock, logger) }),
      budgets: book === undefined ? undefined : new BudgetGuard(book),
      transcripts: settings.transcripts ? payloads : undefined,
      flags,
      sessions: new SessionStore({
        client,
        table: settings.sessionsTable,
        agent: settings.agent,
        schema: behavior.stateSchema,
        retentionDays: settings.retentionDays,
        clock,
      }),
    };
  });
  const { tasksTable, controlTable, release, retentionDays, timeoutSeconds, maxInFlightPerUser } = settings;
  const worker = new TaskProcessor({
    agent,
    settings,
    store: new TaskLeases({ client, table: tasksTable, release, retentionDays, leaseMs: times.leaseMs, clock }),
    journal: new JournalStore(client, tasksTable, clock),
    payloads,
    queues: new TaskQueues(sqs, settings.queues),
    deadLetters: new DeadLetterSender(sqs, settings.deadLetterQueues),
    webhooks: settings.webhookQueue === undefined ? undefined : new WebhookOutbox(sqs, settings.webhookQueue),
    userConcurrency:
      maxInFlightPerUser === undefined
        ? undefined
        : new UserConcurrencyLimiter({
            client,
            table: tasksTable,
            max: maxInFlightPerUser,
            timeoutSeconds,
            leaseMs: times.leaseMs,
            clock,
          }),
    spending:
      book === undefined
        ? undefined
        : new Spending({
            book,
            metrics: new MetricEmitter({ dimensions: { [Dimension.AGENT]: settings.agent }, clock }),
          }),
    revocation: new Revocation({ routing: new RoutingRepository(client, controlTable), release, clock }),
    environment,
    redact: (text) => secrets.redact(text),
    times,
    clock,
    random: Math.random,
    tracer,
    logger,
  });
  return { process: worker.process.bind(worker), logger, agentSettings };
}

function limiterOf({ rateLimits, controlTable }: WorkerSettings, clock: Clock, logger: Log): RateLimiter | undefined {
  if (rateLimits === undefined) {
    return undefined;
  }
  // A model call waits for this client: a slow response counts as unavailable.
  const client = documentClient(dynamoDbClient({ requestTimeout: 1_000, maxAttempts: 2 }));
  return new SharedRateLimiter({
    limits: rateLimits,
    store: new RateLimitStore(client, controlTable),
    clock,
    onStoreUnavailable: (message, error) =>
      logger.warn(message, { component: 'limiter', outcome: 'error', reason: messageOf(error) }),
  });
}
