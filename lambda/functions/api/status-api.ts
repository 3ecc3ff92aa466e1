import { HttpErrorCode, TASKS_PATH } from '../../../lib/contract';
import { errorResponse, type HttpEvent, type HttpResponse, Refusal } from '../../shared/http/http';
import { refusalOf, report } from '../../shared/http/refusals';
import { type CancelTaskDeps, cancelTask } from './cancel-task';
import { type GetTaskDeps, getTask } from './get-task';
import { type GiveFeedbackDeps, giveFeedback } from './give-feedback';

export interface StatusApiDeps extends Omit<GetTaskDeps, 'tasks'>, Omit<GiveFeedbackDeps, 'tasks'>, CancelTaskDeps {}

/** Answers what is asked of one task. Does not reject: whatever happens becomes a response. */
export async function answerStatusApi(event: HttpEvent, props: StatusApiDeps): Promise<HttpResponse> {
  try {
    return await operationOf(event)(event, props);
  } catch (error) {
    const refusal = refusalOf(error);
    report(refusal, props.logger);
    return errorResponse(refusal);
  }
}

function operationOf({
  requestContext,
  pathParameters,
  rawPath,
}: HttpEvent): (event: HttpEvent, props: StatusApiDeps) => Promise<HttpResponse> {
  const { method } = requestContext.http;
  if (pathParameters?.id !== undefined) {
    const isFeedback = /\/feedback\/?$/.test(rawPath);
    if (method === 'GET' && !isFeedback) {
      return getTask;
    }
    if (method === 'DELETE' && !isFeedback) {
      return cancelTask;
    }
    if (method === 'POST' && isFeedback) {
      return giveFeedback;
    }
  }
  throw new Refusal(
    HttpErrorCode.NOT_FOUND,
    `no such operation: ${method} ${rawPath}; tasks are read by GET ${TASKS_PATH}/{id}, cancelled by DELETE ` +
      `${TASKS_PATH}/{id} and judged by POST ${TASKS_PATH}/{id}/feedback`,
  );
}
