import { HttpErrorCode, IntakeMetric } from '../../../lib/contract';
import type { SqsBatchResponse, SqsEvent, SqsRecord } from '../../shared/aws/sqs-event';
import { refusalOf, report } from '../../shared/http/refusals';
import type { RequestHandlerDeps } from './http-handler';
import { parseInboxRequest } from './inbox-request';

/**
 * Receives of an inbox message that may be refused for overload or an exhausted budget. The next receive accepts the task
 * anyway: the fifth would move the message to the inbox's dead-letter queue, among the requests that are invalid.
 */
const MAX_DEFERRALS = 3;

/**
 * Accepts messages of the inbox queue. A message that is invalid and one that cannot be accepted now (overload, a service
 * away) both stay in the queue. SQS delivers them again until it moves them to the inbox's dead-letter queue, where the
 * sender's error can be inspected, and from where the others can be redriven.
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
        // A deferred message is not a refused one.
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
