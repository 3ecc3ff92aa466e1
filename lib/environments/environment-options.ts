import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Budgets, RateLimit } from '../limits';
import type { ModelPolicy, ModelSpec, TaskLimits } from '../release';

/** What the functions and workers of an agent log: this level and all above it. */
export enum LogLevel {
  /** Details for development. */
  DEBUG = 'DEBUG',
  /** Normal operation. */
  INFO = 'INFO',
  /** Unexpected events that the library handled. */
  WARN = 'WARN',
  /** Failures. */
  ERROR = 'ERROR',
}

/** Options of every environment. */
export interface AgentEnvironmentOptions {
  /**
   * Models that are called in this order when the primary model gives no answer: at most 4.
   *
   * @default - the task waits for its model
   */
  readonly fallbacks?: ModelSpec[];
  /**
   * When to retry, when to call the next model, and when to skip one for a while.
   *
   * @default - see {@link ModelPolicy}
   */
  readonly modelPolicy?: ModelPolicy;
  /**
   * Names of the tools that agents may use; names of tools that an agent does not have are ignored. Other tools are not
   * part of the release, and are refused when the agent calls them.
   *
   * @default - all tools
   */
  readonly tools?: string[];
  /**
   * Log level of all functions and workers of an agent; not part of the release.
   *
   * @default LogLevel.INFO, and LogLevel.DEBUG in development
   */
  readonly logLevel?: LogLevel;
  /**
   * How long logs of the functions and of the HTTP API are kept.
   *
   * @default - three months, and a week in development
   */
  readonly logRetention?: RetentionDays;
  /**
   * How long a finished task and its result are kept: whole days, at least 1.
   *
   * @default - 30 days, and 7 in development
   */
  readonly taskRetention?: Duration;
  /**
   * Workers that the stable lane keeps when it is idle, where workers are containers: 0 or an integer of 2 or more (in
   * development also 1), for a lane with one worker stops when that worker does. With 0 the first task after an idle time
   * waits until a worker has started.
   *
   * @default - 2, and 0 in development
   */
  readonly standbyWorkers?: number;
  /**
   * What each provider (`anthropic`, `openai`, `bedrock`, `openai_compatible`) allows each agent of the environment.
   *
   * @default - as the services define it
   */
  readonly rateLimits?: { readonly [provider: string]: RateLimit };
  /**
   * What each agent of the environment, and each of its users, may cost a day.
   *
   * @default - as the services define it
   */
  readonly budgets?: Budgets;
}

/** Options of {@link AgentEnvironment.production}. */
export interface ProductionEnvironmentOptions extends AgentEnvironmentOptions {
  /** Pinned model. */
  readonly model: ModelSpec;
  /**
   * Limits of one task.
   *
   * @default - see {@link TaskLimits}
   */
  readonly limits?: TaskLimits;
}

/**
 * Options of {@link AgentEnvironment.staging}: where staging differs from production. Each difference must be accepted;
 * an option that is left out is as in production.
 */
export interface StagingEnvironmentOptions extends AgentEnvironmentOptions {
  /**
   * Pinned model.
   *
   * @default - as in production
   */
  readonly model?: ModelSpec;
  /**
   * Limits of one task. Each limit that is left out is as in production.
   *
   * @default - as in production
   */
  readonly limits?: TaskLimits;
  /**
   * Names of the tools that run for real; for each other tool its sandbox runs.
   *
   * @default - as in production: all tools
   */
  readonly liveTools?: string[];
  /**
   * What happens to tables, bucket and logs when the stack is deleted.
   *
   * @default - as in production: RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * Whether the tables have deletion protection.
   *
   * @default - as in production: true
   */
  readonly deletionProtection?: boolean;
  /**
   * Reasons, of at least 20 characters each, by the name of the setting that may differ (`limits.maxCost`; `limits` for all
   * limits). Settings of the services begin with `service`: `service.worker.environment.CRM_URL`. The metadata of the
   * template shows the reasons.
   *
   * @default - no accepted differences
   */
  readonly accept?: { readonly [setting: string]: string };
}

/** Options of {@link AgentEnvironment.development}. */
export interface DevelopmentEnvironmentOptions extends AgentEnvironmentOptions {
  /** Pinned model: a cheap one. */
  readonly model: ModelSpec;
  /** Limits of one task, including `maxCost`: an agent in development can loop. */
  readonly limits: TaskLimits;
  /**
   * Names of the tools that run for real. For each other tool its `sandbox` runs, and a tool without one is refused.
   *
   * @default - no tools
   */
  readonly liveTools?: string[];
}
