import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { describeValue } from '../common';
import { laneError } from '../common/errors';
import { PlatformLimits } from '../contract';

export interface EvidenceOptions {
  /**
   * How long the check waits for the last tasks and for late metrics: whole seconds, at most 14 minutes.
   *
   * @default Duration.minutes(5)
   */
  readonly wait?: Duration;
}

/** What the evidence check asks for. */
export interface EvidenceConfig {
  /** Tasks that the candidate must have finished. */
  readonly minTasks: number;
  readonly wait: Duration;
}

/**
 * How much of a release must have been seen at work before everybody gets it. Alarms cannot tell a good release from
 * one that nobody met, so this is counted after the shift; too little fails the deployment.
 */
export abstract class Evidence {
  /** The candidate must have finished so many tasks: 1 or more. */
  static atLeast(tasks: number, options: EvidenceOptions = {}): Evidence {
    return new CountedEvidence(tasks, options);
  }

  /**
   * Promote a release even if no task of it was seen.
   *
   * @param reason why that is acceptable, for instance an agent with a task a day; kept in the template
   */
  static notRequired(reason: string): Evidence {
    return new NoEvidence(reason);
  }

  /** @throws if a value is out of range */
  abstract bind(scope: Construct): EvidenceConfig;
}

/** The check is a Lambda function that waits; it needs some time to count and to report. */
export const EVIDENCE_OVERHEAD = Duration.minutes(1);

class CountedEvidence extends Evidence {
  constructor(
    private readonly tasks: number,
    private readonly options: EvidenceOptions,
  ) {
    super();
  }

  bind(scope: Construct): EvidenceConfig {
    if (!Number.isInteger(this.tasks) || this.tasks < 1) {
      throw laneError(
        scope,
        'InvalidEvidenceTasks',
        `evidence: tasks must be an integer of 1 or more, got ${describeValue(this.tasks)}; to promote without evidence use Evidence.notRequired(reason)`,
      );
    }
    const wait = this.options.wait ?? Duration.minutes(5);
    const limit = PlatformLimits.LAMBDA_TIMEOUT;
    const longest = limit.value - EVIDENCE_OVERHEAD.toSeconds();
    const seconds = wait.toMilliseconds() / 1000;
    if (!Number.isInteger(seconds) || seconds > longest) {
      throw laneError(
        scope,
        'InvalidEvidenceWait',
        `evidence: wait is ${seconds} s, expected whole seconds, at most ${longest} ` +
          `(Lambda: ${limit.value} ${limit.unit}, ${limit.source}); give the shift a longer bake instead`,
      );
    }
    return { minTasks: this.tasks, wait: Duration.seconds(seconds) };
  }
}

class NoEvidence extends Evidence {
  constructor(private readonly reason: string) {
    super();
  }

  bind(scope: Construct): EvidenceConfig {
    if (this.reason.trim() === '') {
      throw laneError(
        scope,
        'MissingEvidenceReason',
        'Evidence.notRequired: the reason is empty, expected a sentence; say why nobody need have met a release before everybody gets it',
      );
    }
    scope.node.addMetadata('cdk-agent-lanes:evidence-not-required', this.reason);
    return { minTasks: 0, wait: Duration.seconds(0) };
  }
}
