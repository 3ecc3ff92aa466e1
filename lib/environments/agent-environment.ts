import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { describeValue, laneError } from '../common';
import type { Budgets, RateLimit } from '../limits';
import { Behavior, type ModelPolicy, type ModelSpec, type TaskLimits } from '../release';
import {
  type Accepted,
  checkReasons,
  isOfService,
  stagingDiffers,
  stale,
  staleAcceptance,
  unaccepted,
} from './acceptance';
import type {
  DevelopmentEnvironmentOptions,
  ProductionEnvironmentOptions,
  StagingEnvironmentOptions,
} from './environment-options';
import { LogLevel } from './log-level';
import { differencesOf, type Profile, profileOf } from './profile';
import type { StagedService } from './staged-service';

/** Name of the environment of those who build the agent. */
const DEVELOPMENT = 'development';

/** What an environment adds to the folder of a behavior. */
export interface EnvironmentBehaviorOptions {
  /** Version of the shape of session states, from 1. @default 1 */
  readonly stateSchema?: number;
}

/** What an environment says, every default filled in but those that depend on the agent. */
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
  /** Undefined: the services say. */
  readonly rateLimits: { readonly [provider: string]: RateLimit } | undefined;
  /** Undefined: the services say. */
  readonly budgets: Budgets | undefined;
}

/**
 * Where agents run: what they may use and spend there, what is logged, and what is kept. One definition of an agent serves
 * all three:
 *
 * - **production** keeps its data: RETAIN, and tables that cannot be deleted.
 * - **staging** is production but for data and users. Whatever else differs is refused by name, or accepted with a reason.
 * - **development** has a model and limits of its own, runs sandboxes in place of tools, and leaves nothing behind.
 *
 * An environment is the truth about what it says: a service in it that says otherwise is refused.
 */
export class AgentEnvironment {
  /** What users meet. */
  static production(props: ProductionEnvironmentOptions): AgentEnvironment {
    return new AgentEnvironment('production', {
      model: props.model,
      fallbacks: [...(props.fallbacks ?? [])],
      modelPolicy: props.modelPolicy ?? {},
      limits: props.limits ?? {},
      tools: props.tools,
      liveTools: undefined,
      logLevel: props.logLevel ?? LogLevel.INFO,
      logRetention: props.logRetention ?? RetentionDays.THREE_MONTHS,
      taskRetention: props.taskRetention ?? Duration.days(30),
      removalPolicy: RemovalPolicy.RETAIN,
      deletionProtection: true,
      standbyWorkers: props.standbyWorkers ?? 2,
      rateLimits: props.rateLimits,
      budgets: props.budgets,
    });
  }

  /**
   * Production for other users and with other data: services in it are given secrets, tables, payloads, callers and
   * private hosts of their own.
   *
   * @throws LaneError for a setting that differs from production's and is not accepted, and for an acceptance of one that
   * does not differ. Settings of the services (`service.…`) are compared when the app is synthesized, if both are in it.
   */
  static staging(production: AgentEnvironment, props: StagingEnvironmentOptions = {}): AgentEnvironment {
    if (production.name !== 'production') {
      throw laneError(
        undefined,
        'InvalidStagingBase',
        `staging was made of environment "${production.name}": expected that of AgentEnvironment.production, which it stands for`,
      );
    }
    const { accept = {}, limits, modelPolicy, fallbacks, ...others } = props;
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

  /** For those who build the agent: cheap, bounded, and without effect on what is real. */
  static development(props: DevelopmentEnvironmentOptions): AgentEnvironment {
    if (props.limits.maxCost === undefined) {
      throw laneError(
        undefined,
        'MissingDevelopmentMaxCost',
        'limits of development do not hold maxCost: expected the most that one task may cost there, in US dollars, for an agent under work is one that runs away; add it, like 0.05',
      );
    }
    return new AgentEnvironment(DEVELOPMENT, {
      model: props.model,
      fallbacks: [...(props.fallbacks ?? [])],
      modelPolicy: props.modelPolicy ?? {},
      limits: props.limits,
      tools: props.tools,
      liveTools: props.liveTools ?? [],
      logLevel: props.logLevel ?? LogLevel.DEBUG,
      logRetention: props.logRetention ?? RetentionDays.ONE_WEEK,
      taskRetention: props.taskRetention ?? Duration.days(7),
      removalPolicy: RemovalPolicy.DESTROY,
      deletionProtection: false,
      standbyWorkers: props.standbyWorkers ?? 0,
      rateLimits: props.rateLimits,
      budgets: props.budgets,
    });
  }

  /** `production`, `staging` or `development`. */
  readonly name: string;
  /** Pinned model of all agents in the environment. */
  readonly model: ModelSpec;
  /** Asked in this order when the model does not answer. */
  readonly fallbacks: ModelSpec[];
  readonly modelPolicy: ModelPolicy;
  /** Budget of one task. */
  readonly limits: TaskLimits;
  /** Names of the tools that agents may use. Undefined: all. */
  readonly tools: string[] | undefined;
  /** Names of the tools that run for real. Undefined: all. */
  readonly liveTools: string[] | undefined;
  readonly logLevel: LogLevel;
  readonly logRetention: RetentionDays;
  readonly taskRetention: Duration;
  /** Of tables, bucket and logs. */
  readonly removalPolicy: RemovalPolicy;
  /** Of the tables. */
  readonly deletionProtection: boolean;
  /** Workers that the lane which carries traffic keeps when it is idle, where workers are containers. */
  readonly standbyWorkers: number;
  /** What providers allow each agent, by provider. Undefined: the services say. */
  readonly rateLimits: { readonly [provider: string]: RateLimit } | undefined;
  /** What each agent, and each of its users, may cost a day. Undefined: the services say. */
  readonly budgets: Budgets | undefined;
  /** Reasons by the names of the settings in which staging may differ from production. */
  readonly accepted: { readonly [setting: string]: string };
  /** @internal */
  readonly _production: AgentEnvironment | undefined;
  /** Agents that were built into the environment so far. @internal */
  readonly _services: StagedService[] = [];
  private readonly settings: ResolvedEnvironment;

  private constructor(name: string, says: ResolvedEnvironment, accepted: Accepted = {}, production?: AgentEnvironment) {
    this.name = name;
    this.settings = { ...says, tools: sorted(says.tools), liveTools: sorted(says.liveTools) };
    this.model = says.model;
    this.fallbacks = says.fallbacks;
    this.modelPolicy = says.modelPolicy;
    this.limits = says.limits;
    this.tools = this.settings.tools;
    this.liveTools = this.settings.liveTools;
    this.logLevel = says.logLevel;
    this.logRetention = says.logRetention;
    this.taskRetention = says.taskRetention;
    this.removalPolicy = says.removalPolicy;
    this.deletionProtection = says.deletionProtection;
    this.standbyWorkers = checkedStandby(name, says.standbyWorkers);
    this.rateLimits = says.rateLimits;
    this.budgets = says.budgets;
    this.accepted = { ...accepted };
    this._production = production;
  }

  /**
   * Reads a behavior from a folder, as `Behavior.fromDirectory` does, with the model, the limits and the tools of this
   * environment.
   *
   * @param directory relative to the directory that the app is run in
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

  /** Fewest workers of a lane that has work, where workers are containers. @internal */
  get _workersAtWork(): number {
    return this.name === DEVELOPMENT ? 1 : 2;
  }

  /** All that the environment says, by dotted names. @internal */
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

/** A lane of one worker stops with it, so one is none too few and one too many; who builds the agent may want one all the same. */
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

/** Without what was given as undefined: that is as if it were left out. */
function given<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function sorted(names: readonly string[] | undefined): string[] | undefined {
  return names === undefined ? undefined : [...new Set(names)].sort();
}
