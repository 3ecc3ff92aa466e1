import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { describeValue } from '../common';
import { laneError } from '../common/errors';
import { PlatformLimits } from '../contract';

/** Options of {@link Evidence.atLeast}. */
export interface EvidenceOptions {
  /**
   * How long the check waits for the last tasks and for late metrics: whole seconds, at most 14 minutes, for the check is
   * a Lambda function (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
   *
   * @default Duration.minutes(5)
   */
  readonly wait?: Duration;
}

/** Settings of the evidence check. */
export interface EvidenceConfig {
  /** Tasks that the candidate must have finished. */
  readonly minTasks: number;
  /** How long the check waits for them. */
  readonly wait: Duration;
}

/**
 * How many tasks a release must have finished before it is promoted. Alarms cannot tell a good release from one that ran
 * no task, so the tasks are counted after the shift; too few fail the deployment.
 */
export abstract class Evidence {
  /** The candidate must have finished this number of tasks: an integer of 1 or more. */
  static atLeast(tasks: number, options: EvidenceOptions = {}): Evidence {
    return new CountedEvidence(tasks, options);
  }

  /**
   * Promote a release even if it finished no task.
   *
   * @param reason why that is acceptable, for example an agent with one task a day; stored in the metadata of the cloud
   * assembly
   */
  static notRequired(reason: string): Evidence {
    return new NoEvidence(reason);
  }

  /**
   * Checks the values.
   *
   * @throws LaneError if a value is out of range
   *
   * @internal
   */
  abstract _bind(scope: Construct): EvidenceConfig;
}

/** The check is a Lambda function that waits; beyond that it needs time to count and to report. */
export const EVIDENCE_OVERHEAD = Duration.minutes(1);

class CountedEvidence extends Evidence {
  constructor(
    private readonly tasks: number,
    private readonly options: EvidenceOptions,
  ) {
    super();
  }

  /** @internal */
  _bind(scope: Construct): EvidenceConfig {
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
        `evidence: wait must be whole seconds, at most ${longest}, got ${seconds} s ` +
          `(Lambda: ${limit.value} ${limit.unit}, ${limit.source}); give the shift a longer bake time instead`,
      );
    }
    return { minTasks: this.tasks, wait: Duration.seconds(seconds) };
  }
}

class NoEvidence extends Evidence {
  constructor(private readonly reason: string) {
    super();
  }

  /** @internal */
  _bind(scope: Construct): EvidenceConfig {
    if (this.reason.trim() === '') {
      throw laneError(
        scope,
        'MissingEvidenceReason',
        'Evidence.notRequired: the reason is empty, expected a sentence; say why a release may be promoted that finished no task',
      );
    }
    scope.node.addMetadata('cdk-agent-lanes:evidence-not-required', this.reason);
    return { minTasks: 0, wait: Duration.seconds(0) };
  }
}
