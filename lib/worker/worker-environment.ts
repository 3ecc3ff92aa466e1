import { Duration, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { checkedInteger, laneError } from '../common';
import { Env } from '../contract';
import { rateLimitsOf } from '../limits/rate-limit';
import type { AttachedLanes } from './attached-lanes';
import type { WorkerContext } from './worker-context';

/** The running tasks of a user are stored in one item. */
const MAX_IN_FLIGHT_PER_USER = 1_000;

/**
 * Environment variables of a worker, on any compute.
 *
 * @param timeout longest time that one claim works on a task
 * @throws LaneError for a model without its secret, and for limits out of range
 */
export function workerEnvironment(
  worker: Construct,
  context: WorkerContext,
  lanes: AttachedLanes,
  timeout: Duration,
): { [name: string]: string } {
  const { release, store, secrets } = context;
  const missing = release.modelSecretNames.find((name) => secrets[name] === undefined);
  if (missing !== undefined) {
    const known = Object.keys(secrets);
    throw laneError(
      worker,
      'MissingModelSecret',
      `a model of the release reads its API key from the secret "${missing}", and ${known.length === 0 ? 'the service has no secrets' : `the secrets of the service are ${known.join(', ')}`}; add it to secrets, or set secretName of the model`,
    );
  }
  const retention = context.taskRetention ?? Duration.days(30);
  const arns = Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, secret.secretArn]));
  return {
    [Env.AGENT]: context.agentName,
    [Env.RELEASE]: release.releaseId,
    [Env.TASKS_TABLE]: store.tasks.tableName,
    [Env.SESSIONS_TABLE]: store.sessions.tableName,
    [Env.BEHAVIOR_BUCKET]: release.behaviorBucket,
    [Env.BEHAVIOR_KEY]: release.behaviorKey,
    [Env.SECRETS]: Stack.of(worker).toJsonString(arns),
    [Env.TASK_RETENTION_DAYS]: String(retention.toDays()),
    [Env.CONTROL_TABLE]: store.control.tableName,
    [Env.PAYLOAD_BUCKET]: store.payloads.bucketName,
    [Env.TRANSCRIPTS]: context.transcripts === undefined ? 'off' : 'on',
    ...(context.webhookQueue === undefined ? {} : { [Env.WEBHOOK_QUEUE]: context.webhookQueue.queueUrl }),
    ...(context.rateLimits === undefined
      ? {}
      : { [Env.RATE_LIMITS]: JSON.stringify(rateLimitsOf(worker, context.rateLimits)) }),
    ...(context.budgets === undefined ? {} : { [Env.BUDGETS]: JSON.stringify(context.budgets._settings()) }),
    ...(context.flags === undefined ? {} : { [Env.FLAGS]: context.flags._settings() }),
    ...(context.maxInFlightPerUser === undefined
      ? {}
      : {
          [Env.MAX_IN_FLIGHT_PER_USER]: String(
            checkedInteger(worker, 'InvalidMaxInFlightPerUser', {
              name: 'maxInFlightPerUser',
              value: context.maxInFlightPerUser,
              max: MAX_IN_FLIGHT_PER_USER,
            }),
          ),
        }),
    ...lanes.environment(),
    [Env.WORKER_TIMEOUT_SECONDS]: String(timeout.toSeconds()),
  };
}
