import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { describeValue, laneError } from '../common';
import { FLAG_NAME_PATTERN, type FlagValue, flagSchema, MAX_FLAG_USERS } from '../contract';
import type { QualityGate } from '../gates';

/** Options of every flag. */
export interface FlagOptions {
  /**
   * Percentage of the users that get the variant, 0 to 100, by a consistent hash of flag and user. A user with the
   * variant keeps it when the percentage grows; other flags select other users.
   *
   * @default 0
   */
  readonly percentage?: number;

  /**
   * Users that get the variant at any percentage: at most 1,000. The names are those in the tasks, and every principal
   * that may read the configuration can read them.
   *
   * @default - no users
   */
  readonly users?: string[];

  /**
   * Gates that roll a change of the flags back, by name: a gate judges the tasks that got the variant, and compares them
   * with those that got the default. All flags of an agent together have at most five critical gates, for AppConfig
   * monitors at most five alarms
   * (https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_CreateEnvironment.html).
   *
   * @default - no gates
   */
  readonly gates?: { readonly [name: string]: QualityGate };
}

/** Options of {@link CapabilityFlag.boolean}. */
export interface BooleanFlagOptions extends FlagOptions {
  /** Value for all other users; the variant is the opposite. Part of the worker's settings. @default false */
  readonly default?: boolean;
}

/** Options of {@link CapabilityFlag.number}. */
export interface NumberFlagOptions extends FlagOptions {
  /** Value for all other users. Part of the worker's settings. */
  readonly default: number;
  /** Value for the selected users. */
  readonly variant: number;
}

/** Options of {@link CapabilityFlag.text}. */
export interface TextFlagOptions extends FlagOptions {
  /** Value for all other users: 1 to 64 printable ASCII characters. Part of the worker's settings. */
  readonly default: string;
  /** Value for the selected users: 1 to 64 printable ASCII characters. */
  readonly variant: string;
}

/** A flag as the configuration stores it. @internal */
export interface FlagDescription {
  readonly default: FlagValue;
  readonly variant: FlagValue;
  readonly percent: number;
  readonly users?: string[];
}

/** A capability that is on for some users and off for others, changed without a new release. */
export abstract class CapabilityFlag {
  /** On or off: a tool, a way of working. The agent reads it with `ctx.flags.bool(name)`. */
  static boolean(options: BooleanFlagOptions = {}): CapabilityFlag {
    const fallback = options.default ?? false;
    return new DeclaredFlag(options, fallback, !fallback);
  }

  /** One of two numbers, for example a limit of steps. The agent reads it with `ctx.flags.number(name)`. */
  static number(options: NumberFlagOptions): CapabilityFlag {
    return new DeclaredFlag(options, options.default, options.variant);
  }

  /** One of two texts, for example the name of a prompt. The agent reads it with `ctx.flags.string(name)`. */
  static text(options: TextFlagOptions): CapabilityFlag {
    return new DeclaredFlag(options, options.default, options.variant);
  }

  /** @internal */
  abstract readonly _gates: { readonly [name: string]: QualityGate };

  /** @internal */
  abstract _describe(scope: IConstruct, name: string): FlagDescription;
}

class DeclaredFlag extends CapabilityFlag {
  constructor(
    private readonly options: FlagOptions,
    private readonly fallback: FlagValue,
    private readonly variant: FlagValue,
  ) {
    super();
  }

  /** @internal */
  get _gates(): { readonly [name: string]: QualityGate } {
    return this.options.gates ?? {};
  }

  /** @internal */
  _describe(scope: IConstruct, name: string): FlagDescription {
    if (!FLAG_NAME_PATTERN.test(name)) {
      throw laneError(
        scope,
        'InvalidFlagName',
        `flag "${name}": expected a name of 1 to 64 letters, digits, '-' or '_', a letter first; rename it`,
      );
    }
    const { percentage = 0, users } = this.options;
    for (const [property, value] of Object.entries({ default: this.fallback, variant: this.variant })) {
      if (Token.isUnresolved(value) || !flagSchema.shape.default.safeParse(value).success) {
        throw laneError(
          scope,
          'InvalidFlagValue',
          `flag "${name}": ${property} must be a boolean, a number, or 1 to 64 printable ASCII characters, got ${Token.isUnresolved(value) ? 'a token' : JSON.stringify(value)}; it becomes the value of a metric dimension`,
        );
      }
    }
    if (this.fallback === this.variant) {
      throw laneError(
        scope,
        'MissingFlagVariant',
        `flag "${name}": default and variant are both ${JSON.stringify(this.fallback)}, expected two values; use a constant instead of the flag, or change the variant`,
      );
    }
    if (Token.isUnresolved(percentage) || !flagSchema.shape.percent.safeParse(percentage).success) {
      throw laneError(
        scope,
        'InvalidFlagPercentage',
        `flag "${name}": percentage must be a number between 0 and 100, got ${describeValue(percentage)}`,
      );
    }
    if (users !== undefined && !flagSchema.shape.users.safeParse(users).success) {
      throw laneError(
        scope,
        'InvalidFlagUsers',
        `flag "${name}": users has ${users.length} entries${users.includes('') ? ', one of them empty' : ''}: expected at most ${MAX_FLAG_USERS} names; for more users set percentage`,
      );
    }
    return { default: this.fallback, variant: this.variant, percent: percentage, users };
  }
}
