import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import type { IConstruct } from 'constructs';
import { laneError } from '../common';
import type { Flags } from '../flags';
import type { Budgets, RateLimit } from '../limits';
import type { Release } from '../release';
import type { IAgentStore } from '../state';
import type { Transcripts } from './transcripts';

/** Minimum numbers of workers that an environment requires, for workers that are scaled. Lambda ignores them. */
export interface WorkerAvailability {
  /** Workers that the stable lane keeps while it is idle. */
  readonly standby: number;
  /** Minimum number of workers of a lane that has work. */
  readonly floor: number;
}

/** The service that a worker belongs to. */
export interface WorkerContext {
  /** Name of the agent: value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Release that the worker runs. */
  readonly release: Release;
  /** Where tasks, journals and sessions are. */
  readonly store: IAgentStore;
  /** Secrets by the name under which the agent reads them. Read at run time, by ARN. */
  readonly secrets: { [name: string]: secretsmanager.ISecret };
  /** How long a finished task is kept: whole days. @default Duration.days(30) */
  readonly taskRetention?: Duration;
  /** Attempts that a task gets, 1 to 100. The lanes' queues must allow 15 more receives. @default 5 */
  readonly maxAttempts?: number;
  /** Tasks of one user that run at once, 1 to 1,000. @default - no limit */
  readonly maxInFlightPerUser?: number;
  /** Rate limits by provider, shared by all workers of the agent. @default - no limits */
  readonly rateLimits?: { [provider: string]: RateLimit };
  /** Daily budgets of the agent and of each user. @default - no budgets */
  readonly budgets?: Budgets;
  /** Recording of model calls. @default - model calls are not recorded */
  readonly transcripts?: Transcripts;
  /** Queue of the webhook function. @default - tasks have no webhooks */
  readonly webhookQueue?: sqs.IQueue;
  /** Flags that the agent reads as `ctx.flags`. @default - no flags */
  readonly flags?: Flags;
  /** Minimum numbers of workers. @default - 0 while idle, 2 while there is work */
  readonly availability?: WorkerAvailability;
  /** How long logs are kept. A worker with another value is refused. @default - the worker's own setting */
  readonly logRetention?: RetentionDays;
  /** What happens to the log group when the stack is deleted. @default RemovalPolicy.DESTROY */
  readonly removalPolicy?: RemovalPolicy;
}

/**
 * How long a worker's logs are kept.
 *
 * @param factory the factory that took the worker's own setting, for the message
 * @throws LaneError if the worker's own setting differs from the environment's
 */
export function logRetentionOf(
  scope: IConstruct,
  factory: string,
  own: RetentionDays | undefined,
  { logRetention: given }: WorkerContext,
): RetentionDays {
  if (own !== undefined && given !== undefined && own !== given) {
    throw laneError(
      scope,
      'ConflictingEnvironment',
      `logRetention is ${own} days in the options of ${factory} and ${given} days in the environment of the service: the two must agree; remove it from the worker, or change the environment`,
    );
  }
  return own ?? given ?? RetentionDays.ONE_MONTH;
}
