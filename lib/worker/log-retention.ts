import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IConstruct } from 'constructs';
import { laneError } from '../common';
import type { WorkerContext } from './worker-context';

/**
 * How long a worker's logs are kept.
 *
 * @param factory whose props say it, for the message
 * @throws LaneError if the props say other than the environment of the service
 */
export function logRetentionOf(
  scope: IConstruct,
  factory: string,
  own: RetentionDays | undefined,
  { logRetention: given }: WorkerContext,
): RetentionDays {
  if (own !== undefined && given !== undefined && own !== given) {
    throw laneError(
      scope,
      'ConflictingEnvironment',
      `logRetention is ${own} days in the props of ${factory}, and ${given} days in the environment of the service: expected one place to say it; leave it out of the worker, or change the environment`,
    );
  }
  return own ?? given ?? RetentionDays.ONE_MONTH;
}
