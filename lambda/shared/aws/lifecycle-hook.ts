import {
  type CodeDeployClient,
  LifecycleEventStatus,
  PutLifecycleEventHookExecutionStatusCommand,
} from '@aws-sdk/client-codedeploy';
import * as z from 'zod';
import { describeError } from '../errors';
import type { Log } from '../telemetry/logger';
import { errorName } from './aws-errors';
import { type InvocationContext, withInvocationDeadline } from './invocation-deadline';

/** The event of a lifecycle hook. The release is in the function's environment. */
export const hookEventSchema = z.object({
  DeploymentId: z.string().min(1),
  LifecycleEventHookExecutionId: z.string().min(1),
});
export type HookEvent = z.infer<typeof hookEventSchema>;

/** Result of a hook: whether the deployment may continue, and why. */
export interface HookResult {
  readonly passed: boolean;
  readonly reason: string;
  /** For the log. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface LifecycleHookOptions {
  readonly codeDeploy: CodeDeployClient;
  readonly logger: Log;
  readonly check: (signal: AbortSignal) => Promise<HookResult>;
}

/** Real milliseconds reserved to report to CodeDeploy. */
const REPORT_RESERVE_MS = 10_000;

/**
 * Runs a lifecycle hook and reports its result to CodeDeploy. CodeDeploy waits an hour for a hook without a report, so every end
 * is reported: an error of the check and an expired timeout count as failed.
 *
 * @throws when the report to CodeDeploy failed, or the event is not a hook's: Lambda then retries the invocation (twice)
 */
export async function runHook(
  event: unknown,
  context: InvocationContext,
  props: LifecycleHookOptions,
): Promise<HookResult> {
  const { codeDeploy, logger, check } = props;
  const hook = hookEventSchema.parse(event);
  const verdict = await withInvocationDeadline(context, REPORT_RESERVE_MS, check).catch(
    (error: unknown): HookResult => ({ passed: false, reason: `the check itself failed: ${describeError(error)}` }),
  );
  const line = { deployment: hook.DeploymentId, outcome: verdict.passed ? 'passed' : 'failed', ...verdict.details };
  if (verdict.passed) {
    logger.info(verdict.reason, line);
  } else {
    logger.error(verdict.reason, line);
  }
  try {
    await codeDeploy.send(
      new PutLifecycleEventHookExecutionStatusCommand({
        deploymentId: hook.DeploymentId,
        lifecycleEventHookExecutionId: hook.LifecycleEventHookExecutionId,
        status: verdict.passed ? LifecycleEventStatus.SUCCEEDED : LifecycleEventStatus.FAILED,
      }),
    );
  } catch (error) {
    if (errorName(error) !== 'LifecycleEventAlreadyCompletedException') {
      throw error;
    }
    logger.warn('CodeDeploy already has a result of this hook', { deployment: hook.DeploymentId });
  }
  return verdict;
}
