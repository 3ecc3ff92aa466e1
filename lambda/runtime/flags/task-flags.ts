import { type FlagValue, flagValueSchema, JournalKeyPrefix, RuntimeErrorCode } from '../../../lib/contract';
import { throwIfAborted } from '../../shared/abort-signals';
import type { AgentFlags } from '../agent';
import { FatalError } from '../errors';
import type { StepRunner } from '../journal/step-runner';
import type { TaskJournal } from '../journal/task-journal';
import type { AppConfigFlags } from './appconfig-flags';

export interface TaskFlagsDeps {
  /** Absent: the service has no flags. */
  readonly reader: Pick<AppConfigFlags, 'names' | 'value'> | undefined;
  readonly user: string;
  readonly steps: StepRunner;
  readonly journal: TaskJournal | undefined;
  readonly signal: AbortSignal;
}

interface FlagKinds {
  readonly boolean: boolean;
  readonly number: number;
  readonly string: string;
}

/**
 * The flags of one task. The first read of a flag is journaled and later reads return its value, so a changed flag does not
 * affect running tasks.
 */
export class TaskFlags implements AgentFlags {
  readonly #deps: TaskFlagsDeps;
  readonly #reads = new Map<string, Promise<FlagValue>>();
  readonly #values: Record<string, FlagValue>;

  constructor(deps: TaskFlagsDeps) {
    this.#deps = deps;
    this.#values = { ...deps.journal?.flags };
  }

  /** Flags that the task has met, in this attempt or an earlier one. */
  get read(): Readonly<Record<string, FlagValue>> {
    return { ...this.#values };
  }

  bool(name: string): Promise<boolean> {
    return this.#typed(name, 'boolean');
  }

  number(name: string): Promise<number> {
    return this.#typed(name, 'number');
  }

  string(name: string): Promise<string> {
    return this.#typed(name, 'string');
  }

  async #typed<K extends keyof FlagKinds>(name: string, kind: K): Promise<FlagKinds[K]> {
    await throwIfAborted(this.#deps.signal);
    const value = await this.#value(name);
    if (!isOf(value, kind)) {
      throw new FatalError(
        `flag "${name}" is a ${typeof value} (${JSON.stringify(value)}), but the agent reads it as a ${kind}: read it as its declared type, or declare a new flag under another name`,
        { code: RuntimeErrorCode.FLAG_TYPE },
      );
    }
    return value;
  }

  #value(name: string): Promise<FlagValue> {
    const known = this.#reads.get(name);
    if (known !== undefined) {
      return known;
    }
    const reading = this.#readJournaled(name);
    this.#reads.set(name, reading);
    // Failures are not cached.
    reading.catch(() => this.#reads.delete(name));
    return reading;
  }

  async #readJournaled(name: string): Promise<FlagValue> {
    const { reader, steps, user } = this.#deps;
    // A flag that another release journaled keeps its value, even if this release does not have it.
    if (reader?.names.includes(name) !== true && !Object.hasOwn(this.#values, name)) {
      const names = reader?.names.map((each) => `"${each}"`).join(', ') || 'none';
      throw new FatalError(
        `the service has no flag "${name}"; it has ${names}: declare it in flags of the AgentService`,
        {
          code: RuntimeErrorCode.FLAG_UNKNOWN,
        },
      );
    }
    const value = flagValueSchema.parse(
      await steps.run({ key: `${JournalKeyPrefix.FLAG}${name}`, kind: 'step', name }, async () => ({
        value: reader === undefined ? this.#values[name] : await reader.value(name, user),
      })),
    );
    this.#values[name] = value;
    return value;
  }
}

function isOf<K extends keyof FlagKinds>(value: FlagValue, kind: K): value is FlagValue & FlagKinds[K] {
  return typeof value === kind;
}
