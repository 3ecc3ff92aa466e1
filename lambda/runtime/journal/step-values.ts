import {
  type JournalEntry,
  MAX_INLINE_STEP_BYTES,
  MAX_PAYLOAD_BYTES,
  PayloadKey,
  type PayloadRef,
  RuntimeErrorCode,
  sha256,
} from '../../../lib/contract';
import { messageOf } from '../../shared/errors';
import { PayloadLostError, type PayloadStore } from '../../shared/tasks/payload-store';
import { FatalError, RetryableError } from '../errors';
import { toJsonText } from './step-json';

interface Named {
  readonly key: string;
}

/** Reads and writes the values of a task's journal: in the entry, or in the bucket if they are large. */
export class StepValues {
  readonly #options: { readonly payloads: PayloadStore; readonly taskId: string };

  constructor(options: { readonly payloads: PayloadStore; readonly taskId: string }) {
    this.#options = options;
  }

  /**
   * The value's JSON; undefined for undefined.
   *
   * @throws FatalError (`invalid_step`, `step_too_large`)
   */
  write({ key }: Named, value: unknown): string | undefined {
    const text = toJsonText(value, key);
    const bytes = text === undefined ? 0 : Buffer.byteLength(text);
    if (bytes > MAX_PAYLOAD_BYTES) {
      throw new FatalError(
        `the value of ${key} has ${bytes} bytes of JSON, but at most ${MAX_PAYLOAD_BYTES} are accepted: write large content to a store of your own in the step, and return its location`,
        { code: RuntimeErrorCode.STEP_TOO_LARGE },
      );
    }
    return text;
  }

  /** Stores the text. Each attempt has its own object: a late attempt must not replace a recorded value. */
  async place(
    { key }: Named,
    text: string | undefined,
    attempt: number,
  ): Promise<{ readonly json?: string; readonly ref?: PayloadRef }> {
    if (text === undefined) {
      return {};
    }
    if (Buffer.byteLength(text) <= MAX_INLINE_STEP_BYTES) {
      return { json: text };
    }
    const { payloads, taskId } = this.#options;
    try {
      return { ref: await payloads.put(PayloadKey.step(taskId, sha256(key), attempt), text) };
    } catch (error) {
      throw unavailable(`the value of ${key} could not be written`, error);
    }
  }

  async read({ key, json, ref }: JournalEntry): Promise<unknown> {
    if (ref === undefined) {
      return json === undefined ? undefined : JSON.parse(json);
    }
    try {
      return await this.#options.payloads.get(ref);
    } catch (error) {
      if (error instanceof PayloadLostError) {
        throw new FatalError(
          `the journal lists ${key} as finished, but its value is lost (${error.message}); the step is not run again: submit the task again if that is safe`,
          { code: RuntimeErrorCode.JOURNAL_LOST, cause: error },
        );
      }
      throw unavailable(`the value of ${key} could not be read`, error);
    }
  }
}

function unavailable(what: string, error: unknown): RetryableError {
  return new RetryableError(`${what}: ${messageOf(error)}`, {
    code: RuntimeErrorCode.JOURNAL_UNAVAILABLE,
    cause: error,
  });
}
