import type { SqsRecord } from '../../shared/aws/sqs-event';
import { invalid } from '../../shared/http/json-body';
import { traceHeaderOf } from '../../shared/telemetry/trace-header';
import { commonFieldsOf, parseRequestBody } from './request-body';
import type { Submission } from './submission';
import type { WebhookPolicy } from './webhook-url';

/**
 * Reads a message of the inbox queue: the same text as the body of `POST /tasks`, always with `user`. A message without
 * an idempotency key gets its message id as one: SQS may deliver it twice, and that must not make two tasks.
 *
 * @throws Refusal invalid_request or too_large
 */
export function parseInboxRequest(
  { messageId, body, attributes }: SqsRecord,
  webhooks: WebhookPolicy | undefined,
): Submission {
  const request = parseRequestBody(body, webhooks);
  const { user, idempotencyKey = `inbox:${messageId}` } = request;
  if (user === undefined) {
    throw invalid([{ path: '$.user', message: 'is required: a message in the inbox says whose task it is' }]);
  }
  const traceHeader = traceHeaderOf(attributes.AWSTraceHeader);
  return {
    ...commonFieldsOf(request),
    user,
    idempotencyKey,
    ...(traceHeader === undefined ? {} : { traceHeader }),
  };
}
