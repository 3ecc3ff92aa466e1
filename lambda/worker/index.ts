import { type AgentDefinition, requireAgent } from '../runtime/agent';
import type { Validated } from '../runtime/schema';
import type { InvocationContext } from '../shared/aws/invocation-deadline';
import { type SqsBatchResponse, type SqsRecord, sqsEventSchema } from '../shared/aws/sqs-event';
import { messageOf } from '../shared/errors';
import { lazy } from '../shared/lazy';
import { SettingsError } from '../shared/settings';
import { createTaskProcessor } from './create-task-processor';
import { isProbe } from './message/parse-message';

export type { InvocationContext } from '../shared/aws/invocation-deadline';
export type { SqsBatchResponse } from '../shared/aws/sqs-event';

/** Handler of a worker function behind SQS event source mappings that take partial batch responses. */
export type WorkerHandler = (event: unknown, context: InvocationContext) => Promise<SqsBatchResponse>;

/**
 * Makes the Lambda handler that runs the agent's tasks. The constructs generate the module that calls it; call it
 * yourself only if you bundle your worker on your own: `export const handler = createHandler(agent)`.
 *
 * @throws TypeError when the agent did not come out of `defineAgent`
 */
export function createHandler<I, O, S>(agent: AgentDefinition<I, O, S>): WorkerHandler {
  requireAgent(agent);
  // Settings are read at the first invocation and not while the module loads: an error there reaches the log as one
  // line, with the request that met it.
  const worker = lazy(() => createTaskProcessor(agent));
  return async (event, context) => {
    const { process: work, logger, agentSettings } = worker();
    const { Records } = sqsEventSchema.parse(event);
    refuseWithoutSettings(await agentSettings(), Records);
    const verdicts = await Promise.all(
      Records.map(async (record) => ({
        itemIdentifier: record.messageId,
        verdict: await work(record, () => context.getRemainingTimeInMillis()).catch((error: unknown) => {
          logger.error('a message was left in its queue: the worker failed', {
            messageId: record.messageId,
            outcome: 'error',
            reason: messageOf(error),
          });
          return 'leave' as const;
        }),
      })),
    );
    return {
      batchItemFailures: verdicts
        .filter(({ verdict }) => verdict === 'leave')
        .map(({ itemIdentifier }) => ({ itemIdentifier })),
    };
  };
}

/** A probe is run all the same: it is what tells the preflight of the settings before there is traffic. */
function refuseWithoutSettings(settings: Validated<unknown>, records: readonly SqsRecord[]): void {
  if (!settings.ok && !records.every(({ body }) => isProbe(body))) {
    throw new SettingsError(settings.message);
  }
}
