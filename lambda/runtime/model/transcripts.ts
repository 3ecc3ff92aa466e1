/** One call of a model, as it was asked and answered. */
export interface ModelTranscript {
  /** Number of the call within its attempt, from 1. */
  readonly call: number;
  /** Pinned id of the model that was asked. */
  readonly model: string;
  readonly request: { readonly prompt: string; readonly system?: string; readonly maxTokens: number };
  readonly answer?: { readonly text: string; readonly stopReason: string };
  readonly error?: { readonly code: string; readonly message: string };
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number; readonly cost: number };
}

/** Keeps what was said to a model and by it. */
export interface TranscriptWriter {
  /** Never rejects: a transcript that cannot be written is no reason to fail a task. */
  write(transcript: ModelTranscript): Promise<void>;
}
