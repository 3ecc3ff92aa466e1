import { JournalKeyPrefix, RuntimeErrorCode } from '../../../lib/contract';
import { FatalError } from '../errors';
import type { TaskJournal } from './task-journal';

/** Digits of a digest that go into a key. */
export const KEY_DIGITS = 12;

/** Longest name of a step, in bytes: a sort key of DynamoDB has 1024. */
const MAX_NAME = 512;

/** Hands out the journal's keys to what one attempt does, so that the next attempt finds it under the same. */
export class StepKeys {
  readonly #journal: TaskJournal | undefined;
  readonly #taken = new Set<string>();

  constructor(journal: TaskJournal | undefined) {
    this.#journal = journal;
  }

  /**
   * Key of what the agent names itself.
   *
   * @throws FatalError (`step_name`) for a name that this attempt has used
   */
  keyOfName(name: string): string {
    const key = `${JournalKeyPrefix.STEP}${name}`;
    const bytes = typeof name === 'string' ? Buffer.byteLength(name) : 0;
    if (bytes === 0 || bytes > MAX_NAME) {
      throw new FatalError(
        `a step needs a name of 1 to ${MAX_NAME} bytes, not ${bytes === 0 ? JSON.stringify(name) : bytes}`,
        { code: RuntimeErrorCode.STEP_NAME },
      );
    }
    if (!this.#isFree(key)) {
      throw new FatalError(
        `the task has two steps named ${JSON.stringify(name)}: names are how the next attempt finds what is done, so give each its own, in a loop with what it is about ("${name}:1", "${name}:2")`,
        { code: RuntimeErrorCode.STEP_NAME },
      );
    }
    this.#taken.add(key);
    return key;
  }

  /**
   * Key of what is known by its content: the same content may be asked for again and again. What an earlier attempt
   * finished comes first, in its order.
   */
  nextNumberedKey(prefix: string): string {
    const finished = this.#journal?.occurrencesOf(prefix).find((key) => this.#isFree(key));
    let key = finished ?? `${prefix}#1`;
    for (let number = 2; !this.#isFree(key); number += 1) {
      key = `${prefix}#${number}`;
    }
    this.#taken.add(key);
    return key;
  }

  /** For what failed: nothing is kept of it, and trying again is the same thing again. */
  release(key: string): void {
    this.#taken.delete(key);
  }

  #isFree(key: string): boolean {
    return !this.#taken.has(key) && !this.#journal?.isUsed(key);
  }
}
