import { type FlagValue, flagValueSchema, JournalKeyPrefix, RuntimeErrorCode } from '../../../lib/contract';
import { throwIfAborted } from '../../shared/abort-signals';
import type { AgentFlags } from '../agent';
import { FatalError } from '../errors';
import type { StepRunner } from '../journal/step-runner';
import type { TaskJournal } from '../journal/task-journal';

/** What the flags say at this moment. One for all tasks of an environment. */
export interface FlagReader {
  readonly names: readonly string[];
  /** @param name one of {@link names} */
  value(name: string, user: string): Promise<FlagValue>;
}

export interface TaskFlagsDeps {
  /** Absent: the service has no flags. */
  readonly reader: FlagReader | undefined;
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
 * The flags as one task sees them: what a flag said to its first attempt it says to the end. So the first read is an entry
 * of the journal, and a flag that changes meanwhile changes nothing for the tasks under way.
 */
export class TaskFlags implements AgentFlags {
  readonly #deps: TaskFlagsDeps;
  readonly #read = new Map<string, Promise<FlagValue>>();
  readonly #met: Record<string, FlagValue>;

  constructor(deps: TaskFlagsDeps) {
    this.#deps = deps;
    this.#met = { ...deps.journal?.flags };
  }

  /** Flags that the task has met, in this attempt or an earlier one. */
  get read(): Readonly<Record<string, FlagValue>> {
    return { ...this.#met };
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
        `flag "${name}" is a ${typeof value} (${JSON.stringify(value)}), and the agent reads it as a ${kind}: read it as what it is declared, or declare a new flag under another name`,
        { code: RuntimeErrorCode.FLAG_TYPE },
      );
    }
    return value;
  }

  #value(name: string): Promise<FlagValue> {
    const known = this.#read.get(name);
    if (known !== undefined) {
      return known;
    }
    const reading = this.#decide(name);
    this.#read.set(name, reading);
    // A failure is not kept: nothing was decided.
    reading.catch(() => this.#read.delete(name));
    return reading;
  }

  async #decide(name: string): Promise<FlagValue> {
    const { reader, steps, user } = this.#deps;
    // Journaled by a release that knew the flag: the task keeps what it was told.
    if (reader?.names.includes(name) !== true && !Object.hasOwn(this.#met, name)) {
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
        value: reader === undefined ? this.#met[name] : await reader.value(name, user),
      })),
    );
    this.#met[name] = value;
    return value;
  }
}

function isOf<K extends keyof FlagKinds>(value: FlagValue, kind: K): value is FlagValue & FlagKinds[K] {
  return typeof value === kind;
}
