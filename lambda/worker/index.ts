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

/** Handler of a worker function behind SQS event source mappings with partial batch responses. */
export type WorkerHandler = (event: unknown, context: InvocationContext) => Promise<SqsBatchResponse>;

/**
 * Creates the Lambda handler that runs the agent's tasks. The constructs generate the module that calls it; call it only
 * in a worker that you bundle yourself: `export const handler = createHandler(agent)`.
 *
 * @throws TypeError when the agent was not made with `defineAgent`
 */
export function createHandler<I, O, S>(agent: AgentDefinition<I, O, S>): WorkerHandler {
  requireAgent(agent);
  // Settings are read in the first invocation, not while the module loads: so an error is one log line with a request id.
  const processor = lazy(() => createTaskProcessor(agent));
  return async (event, context) => {
    const { process, logger, agentSettings } = processor();
    const { Records } = sqsEventSchema.parse(event);
    requireSettings(await agentSettings(), Records);
    const results = await Promise.all(
      Records.map(async (record) => ({
        itemIdentifier: record.messageId,
        disposition: await process(record, () => context.getRemainingTimeInMillis()).catch((error: unknown) => {
          logger.error('message left in its queue: the worker failed', {
            messageId: record.messageId,
            outcome: 'error',
            reason: messageOf(error),
          });
          return 'leave' as const;
        }),
      })),
    );
    return {
      batchItemFailures: results
        .filter(({ disposition }) => disposition === 'leave')
        .map(({ itemIdentifier }) => ({ itemIdentifier })),
    };
  };
}

/** A probe runs even with wrong settings: it reports them to the preflight before there is traffic. */
function requireSettings(settings: Validated<unknown>, records: readonly SqsRecord[]): void {
  if (!settings.ok && !records.every(({ body }) => isProbe(body))) {
    throw new SettingsError(settings.message);
  }
}
