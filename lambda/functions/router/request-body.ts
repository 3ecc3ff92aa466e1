import { MAX_REQUEST_BYTES, type SubmitRequest, submitRequestSchema } from '../../../lib/contract';
import { invalid, parseJsonBody } from '../../shared/http/json-body';
import type { Submission } from './submission';
import { type WebhookPolicy, webhookProblem } from './webhook-url';

/**
 * Reads the text of a request, as `POST /tasks` and the inbox queue carry it.
 *
 * @param webhooks undefined: the agent was deployed without
 * @throws Refusal too_large, or invalid_request with the path of each wrong field
 */
export function parseRequestBody(text: string, webhooks: WebhookPolicy | undefined): SubmitRequest {
  const request = parseJsonBody(text, {
    schema: submitRequestSchema,
    maxBytes: MAX_REQUEST_BYTES,
    advice: 'put larger input where the agent can read it and send its location',
  });
  if (request.webhook !== undefined) {
    if (webhooks === undefined) {
      throw invalid([
        {
          path: '$.webhook',
          message: 'this agent was deployed without webhooks: leave it out, and ask for the task by GET instead',
        },
      ]);
    }
    const problem = webhookProblem(request.webhook.url, webhooks);
    if (problem !== undefined) {
      throw invalid([{ path: '$.webhook.url', message: problem }]);
    }
  }
  return request;
}

/** What of a request is the same through whichever door it came. */
export function commonFieldsOf({
  input,
  session,
  priority = 'normal',
  timeoutSeconds,
  webhook,
}: SubmitRequest): Pick<Submission, 'input' | 'session' | 'priority' | 'timeoutSeconds' | 'webhook'> {
  return {
    input,
    priority,
    session,
    timeoutSeconds,
    webhook,
  };
}
