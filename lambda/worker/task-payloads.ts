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

/** Inputs and results of tasks: in the task's item, or in the payload bucket when they are too large for it. */
export class TaskPayloads {
  readonly #payloads: PayloadStore;

  constructor(payloads: PayloadStore) {
    this.#payloads = payloads;
  }

  /**
   * @throws FatalError (`input_lost`) when it is gone
   * @throws RetryableError (`payload_unavailable`) when it cannot be read for now
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
   * Puts a result that is too large for the task's item into the bucket.
   *
   * @returns undefined for one that is not
   * @throws RetryableError (`payload_unavailable`) when it cannot be written for now
   */
  async putLargeResult(task: TaskRecord, result: Json): Promise<PayloadRef | undefined> {
    return Buffer.byteLength(JSON.stringify(result)) <= MAX_INLINE_BYTES ? undefined : this.putResult(task, result);
  }

  /** Puts a result into the bucket. Each attempt writes its own: a late one must not replace what was recorded. */
  async putResult({ id, attempts }: TaskRecord, result: Json): Promise<PayloadRef> {
    try {
      return await this.#payloads.put(PayloadKey.result(id, attempts), JSON.stringify(result));
    } catch (error) {
      throw unavailable('the result of the task could not be written', error);
    }
  }
}

/** A bucket that is away for now costs the task no attempt. */
function unavailable(what: string, cause: unknown): RetryableError {
  const options = { code: TaskErrorCode.PAYLOAD_UNAVAILABLE, cause };
  return new RetryableError(`${what}: ${messageOf(cause)}`, options, isUnavailable(cause) ? 'wait' : 'retry');
}
