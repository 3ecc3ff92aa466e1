import {
  type CodeDeployClient,
  LifecycleEventStatus,
  PutLifecycleEventHookExecutionStatusCommand,
} from '@aws-sdk/client-codedeploy';
import * as z from 'zod';
import { describeError } from '../errors';
import type { Log } from '../telemetry/logger';
import { errorName } from './aws-errors';
import { type InvocationContext, withinInvocation } from './deadline';

/** All that CodeDeploy tells a hook; the release comes through the function's environment. */
export const hookEventSchema = z.object({
  DeploymentId: z.string().min(1),
  LifecycleEventHookExecutionId: z.string().min(1),
});
export type HookEvent = z.infer<typeof hookEventSchema>;

/** What a hook found: whether the deployment may go on, and exactly why or why not. */
export interface Verdict {
  readonly passed: boolean;
  readonly reason: string;
  /** For the log. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface HookProps {
  readonly codeDeploy: CodeDeployClient;
  readonly logger: Log;
  readonly judge: (signal: AbortSignal) => Promise<Verdict>;
}

/** Real milliseconds kept for telling CodeDeploy. */
const REPORT_RESERVE_MS = 10_000;

/**
 * Runs a hook and tells CodeDeploy how it went. CodeDeploy would wait an hour for a hook that says nothing, so every end
 * is reported: an error of the hook itself, and a hook that is out of time, count as failed.
 *
 * @throws when CodeDeploy could not be told, or the event is not a hook's: Lambda then invokes the hook again (twice)
 */
export async function runHook(event: unknown, context: InvocationContext, props: HookProps): Promise<Verdict> {
  const { codeDeploy, logger, judge } = props;
  const hook = hookEventSchema.parse(event);
  const verdict = await withinInvocation(context, REPORT_RESERVE_MS, judge).catch(
    (error: unknown): Verdict => ({ passed: false, reason: `the check itself failed: ${describeError(error)}` }),
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
    logger.warn('CodeDeploy has a verdict of this hook already', { deployment: hook.DeploymentId });
  }
  return verdict;
}
