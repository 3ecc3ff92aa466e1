import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Budgets, RateLimit } from '../limits';
import type { ModelPolicy, ModelSpec, TaskLimits } from '../release';
import type { LogLevel } from './log-level';

/** What any environment may say. */
export interface AgentEnvironmentOptions {
  /** Asked in this order when the model does not answer; at most 4. @default the task waits for its model */
  readonly fallbacks?: ModelSpec[];
  /** When to try again, when to turn to the next model, and when to leave one out. @default see {@link ModelPolicy} */
  readonly modelPolicy?: ModelPolicy;
  /**
   * Names of the tools that agents may use; names that an agent does not have are passed over. Others are left out of the
   * release, and refused when the agent calls them.
   *
   * @default all
   */
  readonly tools?: string[];
  /** Of all functions of an agent; no part of the release. @default INFO, DEBUG in development */
  readonly logLevel?: LogLevel;
  /** How long logs of the functions and of the HTTP API are kept. @default three months, a week in development */
  readonly logRetention?: RetentionDays;
  /** How long a finished task and its result are kept: whole days. @default 30 days, 7 in development */
  readonly taskRetention?: Duration;
  /**
   * Workers that the lane which carries traffic keeps when it is idle, where workers are containers: 0, or 2 and more, for a
   * lane of one worker stops with it. With 0 the first task after a quiet time waits for a start.
   *
   * @default 2, 0 in development
   */
  readonly standbyWorkers?: number;
  /** What providers allow each agent of the environment, by provider. @default what the services say: not limited */
  readonly rateLimits?: { readonly [provider: string]: RateLimit };
  /** What each agent of the environment, and each of its users, may cost a day. @default what the services say: no budgets */
  readonly budgets?: Budgets;
}

export interface ProductionEnvironmentOptions extends AgentEnvironmentOptions {
  /** Pinned model. */
  readonly model: ModelSpec;
  /** Budget of one task. @default see {@link TaskLimits} */
  readonly limits?: TaskLimits;
}

/** Where staging differs from production. Each difference must be accepted; what is left out is as in production. */
export interface StagingEnvironmentOptions extends AgentEnvironmentOptions {
  /** @default production's */
  readonly model?: ModelSpec;
  /** Each limit that is left out is production's. @default production's */
  readonly limits?: TaskLimits;
  /** Tools that run for real; in place of each other one its sandbox runs. @default production's: all */
  readonly liveTools?: string[];
  /** What becomes of tables, bucket and logs when the stack is deleted. @default production's: RETAIN */
  readonly removalPolicy?: RemovalPolicy;
  /** Of the tables. @default production's: true */
  readonly deletionProtection?: boolean;
  /**
   * Reasons, of at least 20 characters each, by the name of the setting that may differ (`limits.maxCost`; `limits` for all
   * of them). Settings of the services begin with `service`: `service.worker.environment.CRM_URL`. Reasons stand in the
   * metadata of the template.
   *
   * @default none
   */
  readonly accept?: { readonly [setting: string]: string };
}

export interface DevelopmentEnvironmentOptions extends AgentEnvironmentOptions {
  /** Pinned model: a cheap one. */
  readonly model: ModelSpec;
  /** Budget of one task; `maxCost` must be among them. Development is where agents run away. */
  readonly limits: TaskLimits;
  /**
   * Tools that run for real. In place of each other one runs what the agent gives as its `sandbox`, and a tool without is
   * refused.
   *
   * @default none
   */
  readonly liveTools?: string[];
}
