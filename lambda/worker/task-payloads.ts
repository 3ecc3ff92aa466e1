import {
  type Json,
  MAX_INLINE_BYTES,
  PayloadKey,
  type PayloadRef,
  TaskErrorCode,
  type TaskRecord,
} from '../../lib/contract';
import { FatalError, RetryableError } from '../runtime/errors';
import { isUnavailable } from '../shared/aws/aws-errors';
import { messageOf } from '../shared/errors';
import { PayloadLostError, type PayloadStore } from '../shared/tasks/payload-store';

/** Reads inputs and writes results of tasks: in the task's item, or in the payload bucket if they are too large for it. */
export class TaskPayloads {
  readonly #payloads: PayloadStore;

  constructor(payloads: PayloadStore) {
    this.#payloads = payloads;
  }

  /**
   * @throws FatalError (`input_lost`) when the bucket no longer holds it
   * @throws RetryableError (`payload_unavailable`) when the bucket cannot be read
   */
  async readInput({ input, inputRef }: TaskRecord): Promise<Json | undefined> {
    if (inputRef === undefined) {
      return input;
    }
    try {
      return await this.#payloads.get(inputRef);
    } catch (error) {
      if (error instanceof PayloadLostError) {
        throw new FatalError(`the task's input is lost: ${error.message}`, {
          code: TaskErrorCode.INPUT_LOST,
          cause: error,
        });
      }
      throw unavailable('the input of the task could not be read', error);
    }
  }

  /**
   * Writes a result that is too large for the task's item to the bucket.
   *
   * @returns undefined if the result fits into the item
   * @throws RetryableError (`payload_unavailable`) when the bucket cannot be written
   */
  async putLargeResult(task: TaskRecord, result: Json): Promise<PayloadRef | undefined> {
    return Buffer.byteLength(JSON.stringify(result)) <= MAX_INLINE_BYTES ? undefined : this.putResult(task, result);
  }

  /** Writes a result to the bucket. Each attempt has its own key: a late attempt must not replace a recorded result. */
  async putResult({ id, attempts }: TaskRecord, result: Json): Promise<PayloadRef> {
    try {
      return await this.#payloads.put(PayloadKey.result(id, attempts), JSON.stringify(result));
    } catch (error) {
      throw unavailable('the result of the task could not be written', error);
    }
  }
}

/** An unavailable bucket does not use up an attempt. */
function unavailable(what: string, cause: unknown): RetryableError {
  const options = { code: TaskErrorCode.PAYLOAD_UNAVAILABLE, cause };
  return new RetryableError(`${what}: ${messageOf(cause)}`, options, isUnavailable(cause) ? 'wait' : 'retry');
}
