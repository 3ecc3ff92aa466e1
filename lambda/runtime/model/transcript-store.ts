import { PayloadKey } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { PayloadStore } from '../../shared/tasks/payload-store';
import type { AgentLogger, TaskInfo } from '../agent';
import type { ModelTranscript, TranscriptWriter } from './transcripts';

export interface TranscriptStoreDeps {
  readonly payloads: PayloadStore;
  readonly task: TaskInfo;
  /** Applied to every text, one after the other: secrets first, then whatever the agent's author takes out. */
  readonly redactors: readonly ((text: string) => string)[];
  readonly clock: Clock;
  readonly logger: AgentLogger;
}

/** Transcripts of one attempt in the payload bucket: one object per model call. */
export class TranscriptStore implements TranscriptWriter {
  readonly #deps: TranscriptStoreDeps;

  constructor(deps: TranscriptStoreDeps) {
    this.#deps = deps;
  }

  async write({ call, ...said }: ModelTranscript): Promise<void> {
    const { payloads, task, clock, logger } = this.#deps;
    const key = PayloadKey.transcript(task.id, task.attempt, call);
    try {
      const transcript = {
        task: task.id,
        attempt: task.attempt,
        call,
        at: new Date(clock.now()).toISOString(),
        release: task.release,
        ...said,
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
