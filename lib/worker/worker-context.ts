import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Flags } from '../flags';
import type { Budgets, RateLimit } from '../limits';
import type { Release } from '../release';
import type { IAgentStore } from '../state';
import type { Transcripts } from './transcripts';

/** How many workers an environment wants, where workers are started and stopped. Lambda has nothing to keep. */
export interface WorkerAvailability {
  /** That the lane which carries traffic keeps when it is idle. */
  readonly standby: number;
  /** That a lane with work has at least. */
  readonly floor: number;
}

/** What a worker is built into. */
export interface WorkerContext {
  readonly agentName: string;
  readonly release: Release;
  readonly store: IAgentStore;
  /** By the name under which the agent asks for them. Read at run time, by ARN. */
  readonly secrets: { [name: string]: secretsmanager.ISecret };
  /** How long a finished task is kept, in whole days. @default 30 days */
  readonly taskRetention?: Duration;
  /** Attempts that a task gets, 1 to 100. The lanes' queues must allow 15 receives more. @default 5 */
  readonly maxAttempts?: number;
  /** Tasks of one user that run at once. @default not limited */
  readonly maxInFlightPerUser?: number;
  /** What the providers allow. @default not limited */
  readonly rateLimits?: { [provider: string]: RateLimit };
  /** What agent and users may cost a day. @default no such budgets */
  readonly budgets?: Budgets;
  /** Recording of model calls. @default none are recorded */
  readonly transcripts?: Transcripts;
  /** Told of the end of tasks with a webhook. @default tasks have no webhooks */
  readonly webhookQueue?: sqs.IQueue;
  /** What the agent can read as `ctx.flags`. @default the agent has no flags */
  readonly flags?: Flags;
  /** How many workers there are to be at least. @default none when idle, two when there is work */
  readonly availability?: WorkerAvailability;
  /** How long logs are kept. A worker that says otherwise is refused. @default the worker's */
  readonly logRetention?: logs.RetentionDays;
  /** What becomes of the log group when the stack is deleted. @default RemovalPolicy.DESTROY */
  readonly removalPolicy?: RemovalPolicy;
}
