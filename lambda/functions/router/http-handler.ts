import { HttpErrorCode, IntakeMetric, type SubmitResponse, TASKS_PATH } from '../../../lib/contract';
import { errorResponse, type HttpEvent, type HttpResponse, jsonResponse, Refusal } from '../../shared/http/http';
import { refusalOf, report } from '../../shared/http/refusals';
import type { MetricEmitter } from '../../shared/telemetry/emf';
import type { Log } from '../../shared/telemetry/logger';
import { type HttpRequestRules, parseHttpRequest } from './http-request';
import type { TaskIntake } from './task-intake';
import type { WebhookPolicy } from './webhook-url';

export interface RequestHandlerDeps {
  readonly intake: Pick<TaskIntake, 'submit'>;
  readonly logger: Log;
  readonly metrics: MetricEmitter;
  /** Undefined: the agent was deployed without webhooks. */
  readonly webhooks: WebhookPolicy | undefined;
}

/** Answers one request to the HTTP API. Does not reject: whatever happens becomes a response. */
export async function handleHttpRequest(
  event: HttpEvent,
  { intake, logger, metrics, ...rules }: RequestHandlerDeps & HttpRequestRules,
  traceHeader: string | undefined,
): Promise<HttpResponse> {
  try {
    const { method } = event.requestContext.http;
    if (method !== 'POST') {
      throw new Refusal(
        HttpErrorCode.NOT_FOUND,
        `no such operation: ${method} ${event.rawPath}; tasks are sent by POST ${TASKS_PATH}`,
      );
    }
    const { id, status } = await intake.submit(parseHttpRequest(event, rules, traceHeader));
    const self = `${TASKS_PATH}/${id}`;
    const body: SubmitResponse = { id, status, links: { self } };
    return jsonResponse(202, body, { location: self });
  } catch (error) {
    const refusal = refusalOf(error);
    report(refusal, logger);
    metrics.count(IntakeMetric.REFUSED);
    return errorResponse(refusal);
  }
}
