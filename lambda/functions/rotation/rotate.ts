import { errorName } from '../../shared/aws/aws-errors';
import type { Clock } from '../../shared/clock';
import type { Log } from '../../shared/telemetry/logger';
import type { StepEvent } from './event';
import type { KeySource } from './key-source';
import { RotationError } from './key-source';
import type { RotationMetrics } from './rotation-metrics';
import { CURRENT, PENDING, type SecretDescription, type SecretVersions, versionWith } from './secret-versions';

export interface RotationDeps {
  readonly versions: SecretVersions;
  readonly source: KeySource;
  readonly metrics: RotationMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Runs one of the four steps of a rotation. Each step is idempotent: it reads the state and does only what is missing, because
 * Secrets Manager repeats a failed rotation from its first step with the same token.
 *
 * Secrets Manager itself adds AWSPENDING before the first step and removes it after the last one. This function moves only
 * AWSCURRENT.
 *
 * @throws RotationError for a version that is not the one to rotate to
 */
export async function rotate(event: StepEvent, props: RotationDeps): Promise<void> {
  const { SecretId: secret, ClientRequestToken: version, Step: step } = event;
  const { versions, source, metrics, log } = props;
  const view = await versions.describe(secret);
  const labels = view.labels.get(version);
  if (labels === undefined) {
    throw new RotationError(
      `version ${version} is not among the versions of ${secret}; start the rotation with "aws secretsmanager rotate-secret"`,
    );
  }
  if (labels.includes(CURRENT)) {
    // An earlier attempt finished this step, and its response was lost.
    if (step === 'finishSecret') {
      metrics.rotated();
    }
    log.info('the version is already current', { step, version });
    return;
  }
  if (!labels.includes(PENDING)) {
    throw new RotationError(
      `version ${version} of ${secret} does not have the label AWSPENDING but ${labels.join(', ') || 'none'}: its rotation was cancelled; start a new one with "aws secretsmanager rotate-secret"`,
    );
  }
  const staged = await versions.text(secret, PENDING, version);
  switch (step) {
    case 'createSecret':
      if (staged === undefined) {
        await create(view, version, props);
      }
      break;
    case 'setSecret':
      // Keys of these providers are valid from their creation: this step has nothing to do.
      break;
    case 'testSecret':
      if (staged === undefined) {
        await checkConfiguration(props);
        return;
      }
      await source.test(staged);
      break;
    case 'finishSecret':
      if (staged === undefined) {
        throw new RotationError(`version ${version} of ${secret} has no value: it cannot become the current one`);
      }
      await versions.promote(secret, version, versionWith(view, CURRENT));
      metrics.rotated();
      break;
  }
  log.info('rotation step completed', { step, version });
}

async function create(
  view: SecretDescription,
  version: string,
  { versions, source, log }: RotationDeps,
): Promise<void> {
  const key = await source.create(view, version);
  try {
    await versions.stage(view.arn, version, key.text, key.labels);
  } catch (error) {
    if (errorName(error) !== 'ResourceExistsException') {
      throw error;
    }
    // A concurrent attempt has staged another value.
    log.warn('another attempt has staged a key; this one is discarded', { version });
    await key.discard();
  }
}

/**
 * Secrets Manager requests this step alone, for an empty version, when a schedule without an immediate rotation is created
 * (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html). The admin key or
 * the pool may be added later, so a missing one is logged and is not a failure.
 */
async function checkConfiguration({ source, log }: RotationDeps): Promise<void> {
  try {
    await source.checkConfiguration();
    log.info('rotation is configured; there is no staged key to test');
  } catch (error) {
    log.warn('rotation is not configured yet', { reason: error instanceof Error ? error.message : String(error) });
  }
}
