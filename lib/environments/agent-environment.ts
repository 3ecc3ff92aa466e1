import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { describeValue, laneError } from '../common';
import type { Budgets, RateLimit } from '../limits';
import { Behavior, type ModelPolicy, type ModelSpec, type TaskLimits } from '../release';
import {
  type AcceptedDifferences,
  checkReasons,
  isOfService,
  stagingDiffers,
  stale,
  staleAcceptance,
  unaccepted,
} from './acceptance';
import {
  type DevelopmentEnvironmentOptions,
  LogLevel,
  type ProductionEnvironmentOptions,
  type StagingEnvironmentOptions,
} from './environment-options';
import { differencesOf, type Profile, profileOf, type StagedService } from './profile';

const DEVELOPMENT = 'development';

/** Options of {@link AgentEnvironment.behavior}. */
export interface EnvironmentBehaviorOptions {
  /** Version of the shape of session states: an integer of 1 or more. @default 1 */
  readonly stateSchema?: number;
}

/** The options of an environment with all defaults that do not depend on the agent. */
interface ResolvedEnvironment {
  readonly model: ModelSpec;
  readonly fallbacks: ModelSpec[];
  readonly modelPolicy: ModelPolicy;
  readonly limits: TaskLimits;
  /** Undefined: all. */
  readonly tools: string[] | undefined;
  /** Undefined: all. */
  readonly liveTools: string[] | undefined;
  readonly logLevel: LogLevel;
  readonly logRetention: RetentionDays;
  readonly taskRetention: Duration;
  readonly removalPolicy: RemovalPolicy;
  readonly deletionProtection: boolean;
  readonly standbyWorkers: number;
  /** Undefined: as the services define it. */
  readonly rateLimits: { readonly [provider: string]: RateLimit } | undefined;
  /** Undefined: as the services define it. */
  readonly budgets: Budgets | undefined;
}

/**
 * Where agents run: what they may use and spend there, what is logged, and what is kept. One definition of an agent serves
 * all three environments:
 *
 * - **production** keeps its data: RETAIN, and tables with deletion protection.
 * - **staging** equals production except for data and users. Each other difference is an error, or is accepted with a
 *   reason.
 * - **development** has its own model and limits, runs sandboxes in place of tools, and deletes everything with the stack.
 *
 * A service in an environment must not contradict it: settings that differ from the environment's are an error.
 */
export class AgentEnvironment {
  /** The environment of the users. */
  static production(options: ProductionEnvironmentOptions): AgentEnvironment {
    return new AgentEnvironment('production', {
      model: options.model,
      fallbacks: [...(options.fallbacks ?? [])],
      modelPolicy: options.modelPolicy ?? {},
      limits: options.limits ?? {},
      tools: options.tools,
      liveTools: undefined,
      logLevel: options.logLevel ?? LogLevel.INFO,
      logRetention: options.logRetention ?? RetentionDays.THREE_MONTHS,
      taskRetention: options.taskRetention ?? Duration.days(30),
      removalPolicy: RemovalPolicy.RETAIN,
      deletionProtection: true,
      standbyWorkers: options.standbyWorkers ?? 2,
      rateLimits: options.rateLimits,
      budgets: options.budgets,
    });
  }

  /**
   * Production for other users and with other data: services in it have their own secrets, tables, payloads, callers and
   * private hosts.
   *
   * @throws LaneError for a setting that differs from production's and is not accepted, and for an accepted setting that
   * does not differ. Settings of the services (`service.…`) are compared when the app is synthesized, if both are in it.
   */
  static staging(production: AgentEnvironment, options: StagingEnvironmentOptions = {}): AgentEnvironment {
    if (production.name !== 'production') {
      throw laneError(
        undefined,
        'InvalidStagingBase',
        `staging was created from environment "${production.name}", expected an environment of AgentEnvironment.production`,
      );
    }
    const { accept = {}, limits, modelPolicy, fallbacks, ...others } = options;
    checkReasons(accept);
    const staging = new AgentEnvironment(
      'staging',
      {
        ...production.settings,
        ...given(others),
        ...(fallbacks === undefined ? {} : { fallbacks: [...fallbacks] }),
        limits: { ...production.limits, ...given(limits ?? {}) },
        modelPolicy: { ...production.modelPolicy, ...given(modelPolicy ?? {}) },
      },
      accept,
      production,
    );
    const differences = differencesOf(staging._profile(), production._profile());
    const refused = unaccepted(differences, accept);
    if (refused.length > 0) {
      throw laneError(undefined, 'UnacceptedDifference', stagingDiffers(refused));
    }
    const unused = stale(differences, accept).filter((name) => !isOfService(name));
    if (unused.length > 0) {
      throw laneError(undefined, 'StaleAcceptance', staleAcceptance(unused));
    }
    return staging;
  }

  /** For the development of the agent: cheap, bounded, and without effects on real systems. */
  static development(options: DevelopmentEnvironmentOptions): AgentEnvironment {
    if (options.limits.maxCost === undefined) {
      throw laneError(
        undefined,
        'MissingDevelopmentMaxCost',
        'limits of development has no maxCost, expected the highest cost of one task in US dollars: an agent in development can loop; add it, for example 0.05',
      );
    }
    return new AgentEnvironment(DEVELOPMENT, {
      model: options.model,
      fallbacks: [...(options.fallbacks ?? [])],
      modelPolicy: options.modelPolicy ?? {},
      limits: options.limits,
      tools: options.tools,
      liveTools: options.liveTools ?? [],
      logLevel: options.logLevel ?? LogLevel.DEBUG,
      logRetention: options.logRetention ?? RetentionDays.ONE_WEEK,
      taskRetention: options.taskRetention ?? Duration.days(7),
      removalPolicy: RemovalPolicy.DESTROY,
      deletionProtection: false,
      standbyWorkers: options.standbyWorkers ?? 0,
      rateLimits: options.rateLimits,
      budgets: options.budgets,
    });
  }

  /** `production`, `staging` or `development`. */
  readonly name: string;
  /** Pinned model of all agents in the environment. */
  readonly model: ModelSpec;
  /** Called in this order when the model gives no answer. */
  readonly fallbacks: ModelSpec[];
  /** When to retry, when to call the next model, and when to skip one for a while. */
  readonly modelPolicy: ModelPolicy;
  /** Limits of one task. */
  readonly limits: TaskLimits;
  /** Names of the tools that agents may use. Undefined: all. */
  readonly tools: string[] | undefined;
  /** Names of the tools that run for real. Undefined: all. */
  readonly liveTools: string[] | undefined;
  /** Log level of all functions and workers. */
  readonly logLevel: LogLevel;
  /** How long logs of the functions and of the HTTP API are kept. */
  readonly logRetention: RetentionDays;
  /** How long a finished task and its result are kept. */
  readonly taskRetention: Duration;
  /** What happens to tables, bucket and logs when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;
  /** Whether the tables have deletion protection. */
  readonly deletionProtection: boolean;
  /** Workers that the stable lane keeps when it is idle, where workers are containers. */
  readonly standbyWorkers: number;
  /** What providers allow each agent, by provider. Undefined: as the services define it. */
  readonly rateLimits: { readonly [provider: string]: RateLimit } | undefined;
  /** What each agent, and each of its users, may cost a day. Undefined: as the services define it. */
  readonly budgets: Budgets | undefined;
  /** Reasons by the names of the settings in which staging may differ from production. */
  readonly accepted: { readonly [setting: string]: string };
  /** @internal */
  readonly _production: AgentEnvironment | undefined;
  /** Services in the environment so far. @internal */
  readonly _services: StagedService[] = [];
  private readonly settings: ResolvedEnvironment;

  private constructor(
    name: string,
    settings: ResolvedEnvironment,
    accepted: AcceptedDifferences = {},
    production?: AgentEnvironment,
  ) {
    this.name = name;
    this.settings = { ...settings, tools: sorted(settings.tools), liveTools: sorted(settings.liveTools) };
    this.model = settings.model;
    this.fallbacks = settings.fallbacks;
    this.modelPolicy = settings.modelPolicy;
    this.limits = settings.limits;
    this.tools = this.settings.tools;
    this.liveTools = this.settings.liveTools;
    this.logLevel = settings.logLevel;
    this.logRetention = settings.logRetention;
    this.taskRetention = settings.taskRetention;
    this.removalPolicy = settings.removalPolicy;
    this.deletionProtection = settings.deletionProtection;
    this.standbyWorkers = checkedStandby(name, settings.standbyWorkers);
    this.rateLimits = settings.rateLimits;
    this.budgets = settings.budgets;
    this.accepted = { ...accepted };
    this._production = production;
  }

  /**
   * Reads a behavior from a folder, as `Behavior.fromDirectory` does, with the model, the limits and the tools of this
   * environment.
   *
   * @param directory relative to the working directory of the app
   */
  behavior(directory: string, options: EnvironmentBehaviorOptions = {}): Behavior {
    return Behavior.fromDirectory(directory, {
      model: this.model,
      fallbacks: this.fallbacks,
      modelPolicy: this.modelPolicy,
      limits: this.limits,
      allowedTools: this.tools,
      liveTools: this.liveTools,
      ...options,
    });
  }

  /** Minimum of workers of a lane that has work, where workers are containers. @internal */
  get _workersAtWork(): number {
    return this.name === DEVELOPMENT ? 1 : 2;
  }

  /** All settings of the environment, by dotted names. @internal */
  _profile(): Profile {
    const { model, fallbacks, budgets, ...others } = this.settings;
    return new Map([
      ...profileOf('model', model._settings),
      ...(fallbacks.length === 0
        ? []
        : profileOf(
            'fallbacks',
            fallbacks.map((each) => each._settings),
          )),
      ...profileOf('budgets', budgets?.daily),
      ...Object.entries(others).flatMap(([name, value]) => [...profileOf(name, value)]),
    ]);
  }
}

/** A lane with one worker stops when that worker does: one is accepted in development only. */
function checkedStandby(name: string, workers: number): number {
  if (!Number.isInteger(workers) || workers < 0 || (workers === 1 && name !== DEVELOPMENT)) {
    throw laneError(
      undefined,
      'InvalidStandbyWorkers',
      `standbyWorkers of ${name} must be 0 or an integer of 2 or more, got ${describeValue(workers)}; a lane with one worker stops when that worker does`,
    );
  }
  return workers;
}

/** Without the entries that are undefined: they are like entries that were left out. */
function given<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function sorted(names: readonly string[] | undefined): string[] | undefined {
  return names === undefined ? undefined : [...new Set(names)].sort();
}
