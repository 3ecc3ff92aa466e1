import type { Duration } from 'aws-cdk-lib';
import { describeValue, laneError } from '../common';

export interface TranscriptsOptions {
  /** How long they are kept: whole days, 1 or more. */
  readonly retention: Duration;
}

/**
 * Records of every model call of a task, request and answer, in the payload bucket. They hold whatever users and tools
 * said; `redact` of the agent takes out what must not be kept.
 */
export class Transcripts {
  /** Record every call. Left out again later, what was recorded stays until it is deleted by hand. */
  static record(options: TranscriptsOptions): Transcripts {
    const { retention } = options;
    const days = retention.isUnresolved() ? Number.NaN : retention.toDays({ integral: false });
    if (!Number.isInteger(days) || days < 1) {
      throw laneError(
        undefined,
        'InvalidTranscriptRetention',
        `retention of transcripts must be whole days, at least 1, got ${describeValue(retention)}; S3 expires objects by days, so use Duration.days()`,
      );
    }
    return new Transcripts(retention);
  }

  private constructor(
    /** How long they are kept. */
    readonly retention: Duration,
  ) {}
}
