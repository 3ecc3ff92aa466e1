import type { SqsBatchResponse, SqsEvent } from '../common/sqs-event';
import type { DoorProps } from './http-door';
import { parseInboxRequest } from './inbox-request';
import { refusalOf, report } from './refusals';

/**
 * Takes in messages of the inbox queue. A message that was refused for what it says, and one that could not be taken in
 * for now, both stay in the queue: SQS hands them out again until they go to the inbox's dead-letter queue, where the
 * sender's mistake can be seen, and from where what was merely unlucky can be sent back.
 */
export async function takeFromInbox(
  event: SqsEvent,
  { intake, logger, metrics }: DoorProps,
): Promise<SqsBatchResponse> {
  const outcomes = await Promise.all(
    event.Records.map(async (record) => {
      try {
        await intake.submit(parseInboxRequest(record));
        return undefined;
      } catch (error) {
        report(refusalOf(error), logger, { inboxMessage: record.messageId });
        metrics.refused();
        return { itemIdentifier: record.messageId };
      }
    }),
  );
  return { batchItemFailures: outcomes.filter((outcome) => outcome !== undefined) };
}
