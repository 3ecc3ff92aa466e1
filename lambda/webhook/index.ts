/** Tells callers that their tasks have ended: takes tasks from the webhook queue and delivers their webhooks. */
import { readSettings } from '../common/settings';
import type { SqsBatchResponse, SqsEvent } from '../common/sqs-event';
import { settingsSchema } from './settings';

export async function handler(event: SqsEvent): Promise<SqsBatchResponse> {
  readSettings(settingsSchema);
  return { batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}
