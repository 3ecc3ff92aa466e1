import { z } from 'zod';
import type { RehearsalClock } from '../../core/clock';
import type { FaultsPort } from '../../core/faults';
import type { ReceivedMessage, SqsPort } from '../../core/ports';
import { REHEARSAL_REGION } from '../../core/resource';
import type { FunctionRun, FunctionRunResult } from './model';

export interface MappingSettings {
  readonly functionName: string;
  readonly qualifier: string | undefined;
  readonly batchSize: number;
  /** Cloud seconds that a batch may wait to fill up. */
  readonly windowSeconds: number;
  readonly maximumConcurrency: number | undefined;
  readonly reportBatchItemFailures: boolean;
  readonly enabled: boolean;
}

export interface MappingDeps {
  readonly clock: RehearsalClock;
  readonly sqs: SqsPort;
  readonly run: (run: FunctionRun) => Promise<FunctionRunResult>;
  /** Called for errors, such as a mapping whose function was deleted. */
  readonly onFault: (error: unknown) => void;
  /** Injected faults. @default - none */
  readonly faults?: FaultsPort;
}

/**
 * Maximum number of batches that wait for an environment. Their messages are in flight, as on AWS; too many of them would
 * distort the queue's count of visible messages.
 */
const MAX_WAITING_BATCHES = 5;

/** Cloud milliseconds until a mapping that cannot invoke its function tries again. */
const FAULT_PAUSE_MS = 60_000;

const batchResponse = z.object({
  batchItemFailures: z.array(z.object({ itemIdentifier: z.string().min(1) })).nullish(),
});

/**
 * Polls one queue and invokes one function (version or alias) with what it receives. Of a batch that was processed the
 * messages are deleted; of one that failed they are released and become visible again after the queue's visibility
 * timeout. A long poll is always waiting: there is no polling interval.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export class EventSourceMapping {
  readonly #deps: MappingDeps;
  #current: MappingSettings;
  #polling: AbortController | undefined;
  #inFlight = 0;
  #waiting = 0;
  #wake: (() => void) | undefined;

  constructor(
    readonly id: string,
    readonly queueArn: string,
    settings: MappingSettings,
    deps: MappingDeps,
  ) {
    this.#deps = deps;
    this.#current = settings;
    this.#apply();
  }

  get settings(): MappingSettings {
    return this.#current;
  }

  /** Takes effect with the next batch. */
  configure(settings: MappingSettings): void {
    this.#current = settings;
    this.#apply();
    this.#wake?.();
  }

  /** Stops receiving. Batches in progress finish. */
  stop(): void {
    this.#polling?.abort(new Error('the event source mapping was stopped'));
    this.#polling = undefined;
  }

  #apply(): void {
    if (!this.#current.enabled) {
      this.stop();
    } else if (this.#polling === undefined) {
      this.#polling = new AbortController();
      this.#poll(this.#polling.signal).catch(this.#deps.onFault);
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!this.#hasCapacity()) {
        await this.#waitForCapacity(signal);
        continue;
      }
      if (!this.#deps.sqs.exists(this.queueArn)) {
        await this.#pause(signal);
        continue;
      }
      const messages = await this.#receive(signal);
      if (signal.aborted) {
        this.#releaseAll(messages);
      } else if (messages.length > 0) {
        this.#deliver(messages, signal);
      }
    }
  }

  #deliver(messages: readonly ReceivedMessage[], signal: AbortSignal): void {
    const fault = this.#deps.faults?.deliveryFault(this.#current.functionName);
    if (fault === 'dropped') {
      this.#releaseAll(messages);
      return;
    }
    for (let times = fault === 'duplicated' ? 2 : 1; times > 0; times--) {
      this.#inFlight += 1;
      this.#waiting += 1;
      this.#process(messages, signal).catch(this.#deps.onFault);
    }
  }

  #hasCapacity(): boolean {
    return (
      this.#waiting < MAX_WAITING_BATCHES &&
      this.#inFlight < (this.#current.maximumConcurrency ?? Number.POSITIVE_INFINITY)
    );
  }

  #waitForCapacity(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        signal.removeEventListener('abort', go);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = go;
      signal.addEventListener('abort', go, { once: true });
    });
  }

  async #pause(signal: AbortSignal): Promise<void> {
    // Rejects when the mapping is stopped meanwhile; the loop sees that itself.
    await this.#deps.clock.sleep(FAULT_PAUSE_MS, signal).catch(() => undefined);
  }

  async #receive(signal: AbortSignal): Promise<readonly ReceivedMessage[]> {
    const { batchSize, windowSeconds } = this.#current;
    const batch = [...(await this.#deps.sqs.receiveInFlight(this.queueArn, batchSize, signal))];
    if (windowSeconds === 0 || batch.length === 0) {
      return batch;
    }
    const window = new AbortController();
    const timer = this.#deps.clock.after(windowSeconds * 1000, () => window.abort());
    const both = AbortSignal.any([signal, window.signal]);
    while (batch.length < batchSize && !both.aborted) {
      batch.push(...(await this.#deps.sqs.receiveInFlight(this.queueArn, batchSize - batch.length, both)));
    }
    timer.cancel();
    return batch;
  }

  async #process(messages: readonly ReceivedMessage[], signal: AbortSignal): Promise<void> {
    let started = false;
    const onStart = () => {
      if (!started) {
        started = true;
        this.#waiting -= 1;
        this.#wake?.();
      }
    };
    try {
      const result = await this.#deps.run({
        name: this.#current.functionName,
        qualifier: this.#current.qualifier,
        payload: JSON.stringify({ Records: messages.map((message) => recordOf(message, this.queueArn)) }),
        traceHeader: undefined,
        source: this.id,
        onStart,
        // The message becomes visible as on AWS, where the visibility timeout does not wait for a suspended invocation.
        onSuspended: () => this.#releaseAll(messages),
      });
      this.#settle(messages, result);
    } catch (error) {
      this.#releaseAll(messages);
      this.#deps.onFault(error);
      await this.#pause(signal);
    } finally {
      onStart();
      this.#inFlight -= 1;
      this.#wake?.();
    }
  }

  #settle(messages: readonly ReceivedMessage[], result: FunctionRunResult): void {
    if (result.kind === 'throttled' || result.outcome.failed) {
      this.#releaseAll(messages);
      return;
    }
    const failed = this.#current.reportBatchItemFailures
      ? failedItems(result.outcome.payload, messages)
      : new Set<string>();
    for (const message of messages) {
      if (failed === 'all' || failed.has(message.messageId)) {
        this.#deps.sqs.release(this.queueArn, message.receiptHandle);
      } else {
        this.#deps.sqs.delete(this.queueArn, message.receiptHandle);
      }
    }
  }

  #releaseAll(messages: readonly ReceivedMessage[]): void {
    for (const message of messages) {
      this.#deps.sqs.release(this.queueArn, message.receiptHandle);
    }
  }
}

/**
 * Message ids that a response reports as failed. A response that cannot be understood, and one that names a message which
 * was not in the batch, mean that all failed; an empty one, that none did.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
 */
function failedItems(payload: string, messages: readonly ReceivedMessage[]): ReadonlySet<string> | 'all' {
  const response: unknown = JSON.parse(payload);
  if (response === null) {
    return new Set();
  }
  const parsed = batchResponse.safeParse(response);
  if (!parsed.success) {
    return 'all';
  }
  const failed = (parsed.data.batchItemFailures ?? []).map((item) => item.itemIdentifier);
  return failed.every((id) => messages.some((message) => message.messageId === id)) ? new Set(failed) : 'all';
}

/** @see https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event */
function recordOf(message: ReceivedMessage, queueArn: string): Record<string, unknown> {
  const messageAttributes = Object.fromEntries(
    Object.entries(message.messageAttributes).map(([name, value]) => [name, attributeOf(value)]),
  );
  return {
    messageId: message.messageId,
    receiptHandle: message.receiptHandle,
    body: message.body,
    attributes: message.attributes,
    messageAttributes,
    md5OfBody: message.md5OfBody,
    ...('md5OfMessageAttributes' in message ? { md5OfMessageAttributes: message.md5OfMessageAttributes } : {}),
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: REHEARSAL_REGION,
  };
}

const wireAttribute = z.object({
  DataType: z.string(),
  StringValue: z.string().optional(),
  BinaryValue: z.string().optional(),
});

function attributeOf(value: unknown): Record<string, unknown> {
  const { DataType, StringValue, BinaryValue } = wireAttribute.parse(value);
  return {
    stringValue: StringValue,
    binaryValue: BinaryValue,
    stringListValues: [],
    binaryListValues: [],
    dataType: DataType,
  };
}
