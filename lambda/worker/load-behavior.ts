import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import * as z from 'zod';
import { type BehaviorDocument, behaviorDocumentSchema, RuntimeErrorCode } from '../../lib/contract';
import { RetryableError } from '../runtime/errors';
import { isUnavailable } from '../shared/aws/aws-errors';
import { messageOf } from '../shared/errors';
import { parseJson } from '../shared/json';
import type { WorkerSettings } from './settings';

/**
 * Reads the release's behavior document.
 *
 * @throws RetryableError when it cannot be read, or belongs to another release than this worker version. The task is not at
 * fault, so it waits in its queue for a worker that can load its behavior.
 */
export async function loadBehavior(
  s3: S3Client,
  { behaviorBucket, behaviorKey, release }: WorkerSettings,
): Promise<BehaviorDocument> {
  const place = `s3://${behaviorBucket}/${behaviorKey}`;
  let text: string | undefined;
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: behaviorBucket, Key: behaviorKey }));
    text = await Body?.transformToString('utf-8');
  } catch (error) {
    throw new RetryableError(
      `the behavior of release ${release} could not be read from ${place}: ${messageOf(error)}`,
      { code: RuntimeErrorCode.BEHAVIOR_UNAVAILABLE, cause: error },
      isUnavailable(error) ? 'wait' : 'retry',
    );
  }
  const parsed = behaviorDocumentSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new RetryableError(`${place} is not a behavior document: ${z.prettifyError(parsed.error)}`, {
      code: RuntimeErrorCode.BEHAVIOR_INVALID,
    });
  }
  if (parsed.data.release !== release) {
    throw new RetryableError(
      `${place} holds release ${parsed.data.release}, but this worker version was published for release ${release}: deploy again`,
      { code: RuntimeErrorCode.BEHAVIOR_MISMATCH },
    );
  }
  return parsed.data;
}
