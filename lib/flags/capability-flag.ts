import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { describeValue, laneError } from '../common';
import { FLAG_NAME_PATTERN, type FlagValue, flagSchema, MAX_FLAG_USERS } from '../contract';
import type { QualityGate } from '../gates';

/** What every flag can be told. */
export interface FlagOptions {
  /**
   * Share of the users who get the variant, 0 to 100, by a consistent hash of flag and user. A user who is in stays in
   * when the share grows; other flags find other users.
   *
   * @default 0
   */
  readonly percentage?: number;

  /**
   * Users who get the variant whatever the share: a group, at most 1000. They are written as the tasks name them, and
   * can be read by whoever may read the configuration.
   *
   * @default - none
   */
  readonly users?: string[];

  /**
   * What takes a change of the flags back, by name: a gate judges the tasks that met the variant, and compares them with
   * those that met the default. Critical ones are at most five over all flags of the agent.
   *
   * @default - nothing watches this flag
   */
  readonly gates?: { readonly [name: string]: QualityGate };
}

export interface BooleanFlagOptions extends FlagOptions {
  /** For everybody else; the variant is the opposite. Part of the worker's settings. @default false */
  readonly default?: boolean;
}

export interface NumberFlagOptions extends FlagOptions {
  /** For everybody else. Part of the worker's settings. */
  readonly default: number;
  readonly variant: number;
}

export interface TextFlagOptions extends FlagOptions {
  /** For everybody else: 1 to 64 printable ASCII characters. Part of the worker's settings. */
  readonly default: string;
  /** 1 to 64 printable ASCII characters. */
  readonly variant: string;
}

/** @internal */
export interface FlagDescription {
  readonly default: FlagValue;
  readonly variant: FlagValue;
  readonly percent: number;
  readonly users?: string[];
}

/** Something that is on for some users and not for others, changed without a new release. */
export abstract class CapabilityFlag {
  /** On or off: a tool, a way of working. Read by `ctx.flags.bool(name)`. */
  static boolean(props: BooleanFlagOptions = {}): CapabilityFlag {
    const fallback = props.default ?? false;
    return new Declared(props, fallback, !fallback);
  }

  /** One of two numbers: a limit of steps, say. Read by `ctx.flags.number(name)`. */
  static number(props: NumberFlagOptions): CapabilityFlag {
    return new Declared(props, props.default, props.variant);
  }

  /** One of two texts: the name of a prompt, say. Read by `ctx.flags.string(name)`. */
  static text(props: TextFlagOptions): CapabilityFlag {
    return new Declared(props, props.default, props.variant);
  }

  /** @internal */
  abstract readonly _gates: { readonly [name: string]: QualityGate };

  /** @internal */
  abstract _describe(scope: IConstruct, name: string): FlagDescription;
}

class Declared extends CapabilityFlag {
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
    const fail = (code: string, message: string) => laneError(scope, code, `flag "${name}": ${message}`);
    if (!FLAG_NAME_PATTERN.test(name)) {
      throw fail(
        'InvalidFlagName',
        "expected a name of 1 to 64 letters, digits, '-' or '_', a letter first; rename it",
      );
    }
    const { percentage = 0, users } = this.options;
    for (const [what, value] of Object.entries({ default: this.fallback, variant: this.variant })) {
      if (Token.isUnresolved(value) || !flagSchema.shape.default.safeParse(value).success) {
        throw fail(
          'InvalidFlagValue',
          `${what} is ${JSON.stringify(value)}, expected a truth value, a number, or 1 to 64 printable ASCII characters, known at synth: it becomes the value of a metric dimension`,
        );
      }
    }
    if (this.fallback === this.variant) {
      throw fail(
        'MissingFlagVariant',
        `default and variant are both ${JSON.stringify(this.fallback)}, expected two values; write a constant instead, or give another variant`,
      );
    }
    if (Token.isUnresolved(percentage) || !flagSchema.shape.percent.safeParse(percentage).success) {
      throw fail(
        'InvalidFlagPercentage',
        `percentage must be a number between 0 and 100, got ${describeValue(percentage)}`,
      );
    }
    if (users !== undefined && !flagSchema.shape.users.safeParse(users).success) {
      throw fail(
        'InvalidFlagUsers',
        `users has ${users.length} entries${users.includes('') ? ', one of them empty' : ''}: expected at most ${MAX_FLAG_USERS} names; for more users set percentage`,
      );
    }
    return { default: this.fallback, variant: this.variant, percent: percentage, users };
  }
}
