import { PayloadKey } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { PayloadStore } from '../../shared/tasks/payload-store';
import type { AgentLogger, TaskInfo } from '../agent';

/** Request and answer of one model call. */
export interface ModelTranscript {
  /** Number of the call within its attempt, from 1. */
  readonly call: number;
  /** Pinned id of the model that was called. */
  readonly model: string;
  readonly request: { readonly prompt: string; readonly system?: string; readonly maxTokens: number };
  readonly answer?: { readonly text: string; readonly stopReason: string };
  readonly error?: { readonly code: string; readonly message: string };
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number; readonly cost: number };
}

export interface TranscriptStoreDeps {
  readonly payloads: PayloadStore;
  readonly task: TaskInfo;
  /** Applied to every text in this order: secrets first, then the agent's own redaction. */
  readonly redactors: readonly ((text: string) => string)[];
  readonly clock: Clock;
  readonly logger: AgentLogger;
}

/** Writes the transcripts of one attempt to the payload bucket: one object per model call. */
export class TranscriptStore {
  readonly #deps: TranscriptStoreDeps;

  constructor(deps: TranscriptStoreDeps) {
    this.#deps = deps;
  }

  /** Never rejects: a failed write must not fail the task. */
  async write({ call, ...transcriptFields }: ModelTranscript): Promise<void> {
    const { payloads, task, clock, logger } = this.#deps;
    const key = PayloadKey.transcript(task.id, task.attempt, call);
    try {
      const transcript = {
        task: task.id,
        attempt: task.attempt,
        call,
        at: new Date(clock.now()).toISOString(),
        release: task.release,
        ...transcriptFields,
      };
      await payloads.put(
        key,
        JSON.stringify(transcript, (_, value: unknown) => (typeof value === 'string' ? this.#redact(value) : value)),
      );
    } catch (error) {
      logger.warn('the transcript of a model call could not be written', {
        component: 'transcripts',
        outcome: 'error',
        object: key,
        reason: messageOf(error),
      });
    }
  }

  #redact(text: string): string {
    return this.#deps.redactors.reduce((redacted, redact) => redact(redacted), text);
  }
}
