import type { Logger } from '@aws-lambda-powertools/logger';
import type { Clock } from '../common/clock';
import type { MetricSink } from '../common/emf';
import type { PayloadStore } from '../common/payload-store';
import type { TaskQueues } from '../common/task-queues';
import type { Tracer } from '../common/tracing';
import type { WebhookOutbox } from '../common/webhook-outbox';
import type { AgentDefinition } from '../runtime/agent';
import type { AgentEnvironment } from '../runtime/context';
import type { JournalStore } from '../runtime/journal';
import type { DeadLetters } from './dead-letters';
import type { InFlight } from './in-flight';
import type { LeaseTimes } from './lease-times';
import type { WorkerSettings } from './settings';
import type { Spending } from './spending';
import type { TaskStore } from './task-store';

/** What a worker is made of, once per environment. */
export interface WorkerParts<I, O> {
  readonly agent: AgentDefinition<I, O>;
  readonly settings: WorkerSettings;
  readonly store: TaskStore;
  readonly journal: JournalStore;
  readonly payloads: PayloadStore;
  readonly queues: TaskQueues;
  readonly deadLetters: DeadLetters;
  /** Undefined for a service without webhooks. */
  readonly webhooks: WebhookOutbox | undefined;
  /** Undefined when the tasks of one user are not limited. */
  readonly inFlight: InFlight | undefined;
  /** Absent: what tasks cost is counted against no budget. */
  readonly spending?: Spending | undefined;
  readonly revocation: { revoked(): Promise<boolean> };
  /** Gives what all tasks share. Loaded at the first task; an attempt whose load failed is repeated. */
  readonly environment: () => Promise<AgentEnvironment>;
  /** Takes the values of secrets out of what is logged. */
  readonly redact: (text: string) => string;
  readonly times: LeaseTimes;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly tracer: Tracer;
  readonly logger: Logger;
  /** @default standard output */
  readonly metrics?: MetricSink;
}
