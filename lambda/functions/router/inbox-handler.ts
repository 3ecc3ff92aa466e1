import { HttpErrorCode, IntakeMetric } from '../../../lib/contract';
import type { SqsBatchResponse, SqsEvent, SqsRecord } from '../../shared/aws/sqs-event';
import { refusalOf, report } from '../../shared/http/refusals';
import type { RequestHandlerDeps } from './http-handler';
import { parseInboxRequest } from './inbox-request';

/**
 * Receives after which a message of the inbox is taken in although too much waits, or a budget is used up. Until then it waits in the inbox; but
 * with more receives it would end among the senders' mistakes in the dead-letter queue, from the fifth on.
 */
const MAX_DEFERRALS = 3;

/**
 * Takes in messages of the inbox queue. A message that was refused for what it says, and one that could not be taken in
 * for now (too much waits, or something is away), both stay in the queue: SQS hands them out again until they go to the inbox's dead-letter queue, where the
 * sender's mistake can be seen, and from where what was merely unlucky can be sent back.
 */
export async function handleSqsBatch(
  event: SqsEvent,
  { intake, logger, metrics, webhooks }: RequestHandlerDeps,
): Promise<SqsBatchResponse> {
  const outcomes = await Promise.all(
    event.Records.map(async (record) => {
      try {
        await intake.submit(parseInboxRequest(record, webhooks), { despiteOverload: hasWaited(record) });
        return undefined;
      } catch (error) {
        const refusal = refusalOf(error);
        report(refusal, logger, { inboxMessage: record.messageId });
        // What waits for better times is not refused.
        if (refusal.code !== HttpErrorCode.OVERLOADED && refusal.code !== HttpErrorCode.BUDGET_EXCEEDED) {
          metrics.count(IntakeMetric.REFUSED);
        }
        return { itemIdentifier: record.messageId };
      }
    }),
  );
  return { batchItemFailures: outcomes.filter((outcome) => outcome !== undefined) };
}

function hasWaited({ attributes }: SqsRecord): boolean {
  return attributes.ApproximateReceiveCount > MAX_DEFERRALS;
}
