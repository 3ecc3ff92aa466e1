import { JournalKeyPrefix, RuntimeErrorCode } from '../../../lib/contract';
import { FatalError } from '../errors';
import type { TaskJournal } from './task-journal';

/** Digits of a digest that go into a key. */
export const KEY_DIGITS = 12;

/** Longest name of a step, in bytes: a sort key of DynamoDB has 1024. */
const MAX_NAME = 512;

/** Assigns journal keys to the steps of one attempt, such that the next attempt assigns the same ones. */
export class StepKeys {
  readonly #journal: TaskJournal | undefined;
  readonly #taken = new Set<string>();

  constructor(journal: TaskJournal | undefined) {
    this.#journal = journal;
  }

  /**
   * Key of a step that the agent names.
   *
   * @throws FatalError (`step_name`) for a name that this attempt has already used, or that is empty or too long
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
        `the task has two steps named ${JSON.stringify(name)}: the journal finds finished steps by name, so give each step its own, in a loop with an index ("${name}:1", "${name}:2")`,
        { code: RuntimeErrorCode.STEP_NAME },
      );
    }
    this.#taken.add(key);
    return key;
  }

  /**
   * Key of a call that is identified by its content: the same content may occur any number of times. Entries that an earlier
   * attempt finished come first, in their order.
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

  /** Releases the key of a failed step, so that the agent can try it again. */
  release(key: string): void {
    this.#taken.delete(key);
  }

  #isFree(key: string): boolean {
    return !this.#taken.has(key) && !this.#journal?.isUsed(key);
  }
}
