import type { Logger } from '@aws-lambda-powertools/logger';
import type { AgentDefinition } from '../runtime/agent';
import type { AttemptEnvironment } from '../runtime/context';
import type { TaskJournalDeps } from '../runtime/journal/task-journal';
import type { Spending } from '../shared/budgets/spending';
import type { Clock } from '../shared/clock';
import type { PayloadStore } from '../shared/tasks/payload-store';
import type { TaskLeases } from '../shared/tasks/task-leases';
import type { TaskQueues } from '../shared/tasks/task-queues';
import type { WebhookOutbox } from '../shared/tasks/webhook-outbox';
import type { MetricSink } from '../shared/telemetry/emf';
import type { Tracer } from '../shared/telemetry/tracing';
import type { LeaseTimes } from './lease/lease-times';
import type { UserConcurrencyLimiter } from './lease/user-concurrency-limiter';
import type { DeadLetterSender } from './message/dead-letter-sender';
import type { WorkerSettings } from './settings';

/** Dependencies of a TaskProcessor, created once per execution environment. */
export interface TaskProcessorDeps<I, O> {
  readonly agent: AgentDefinition<I, O>;
  readonly settings: WorkerSettings;
  readonly store: TaskLeases;
  readonly journal: TaskJournalDeps['store'];
  readonly payloads: PayloadStore;
  readonly queues: TaskQueues;
  readonly deadLetters: DeadLetterSender;
  /** Undefined for a service without webhooks. */
  readonly webhooks: WebhookOutbox | undefined;
  /** Undefined when the tasks of one user are not limited. */
  readonly userConcurrency: UserConcurrencyLimiter | undefined;
  /** Absent: the service has no budgets. */
  readonly spending?: Spending | undefined;
  readonly revocation: { revoked(): Promise<boolean> };
  /** What all tasks share. Loaded by the first task; if loading fails, the task is retried. */
  readonly environment: () => Promise<AttemptEnvironment>;
  /** Removes the values of secrets from logged text. */
  readonly redact: (text: string) => string;
  readonly times: LeaseTimes;
  readonly clock: Clock;
  /** Returns a number from 0 up to 1. */
  readonly random: () => number;
  readonly tracer: Tracer;
  readonly logger: Logger;
  /** @default standard output */
  readonly metrics?: MetricSink;
}
