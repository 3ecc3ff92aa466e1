import { HttpErrorCode, IDEMPOTENCY_HEADER, submitRequestSchema } from '../../../lib/contract';
import { bodyTextOf, type HttpEvent, Refusal, subjectOf } from '../../shared/http/http';
import { invalid } from '../../shared/http/json-body';
import { traceHeaderOf } from '../../shared/telemetry/trace-header';
import { commonFieldsOf, parseRequestBody } from './request-body';
import type { Submission } from './submission';
import type { WebhookPolicy } from './webhook-url';

/** How callers are distinguished; see `Env.AUTH`. */
export type Auth = 'iam' | 'jwt';

/** What a request may ask for and on whose behalf. */
export interface HttpRequestRules {
  readonly auth: Auth;
  /** Undefined: the agent was deployed without webhooks. */
  readonly webhooks: WebhookPolicy | undefined;
}

/**
 * Reads `POST /tasks`.
 *
 * @param traceHeader the invocation's own trace header, which continues the caller's
 * @throws Refusal invalid_request, forbidden or too_large
 */
export function parseHttpRequest(
  event: HttpEvent,
  { auth, webhooks }: HttpRequestRules,
  traceHeader: string | undefined,
): Submission {
  // A token without a subject is refused before the body is looked at: it says nothing about whose task this is.
  const subject = auth === 'jwt' ? requireSubject(event) : undefined;
  const request = parseRequestBody(bodyTextOf(event), webhooks);
  const { user: givenUser } = request;
  const user = subject ?? givenUser;
  if (user === undefined) {
    throw invalid([
      { path: '$.user', message: 'is required: with IAM authorization the caller says whose task it is' },
    ]);
  }
  if (givenUser !== undefined && givenUser !== user) {
    throw new Refusal(
      HttpErrorCode.FORBIDDEN,
      'field user is not the subject of the token; leave it out or give the same',
    );
  }
  const idempotencyKey = chooseKey(event.headers?.[IDEMPOTENCY_HEADER], request.idempotencyKey);
  const trace = traceHeaderOf(traceHeader) ?? traceHeaderOf(event.headers?.['x-amzn-trace-id']);
  return {
    ...commonFieldsOf(request),
    user,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(trace === undefined ? {} : { traceHeader: trace }),
  };
}

function requireSubject(event: HttpEvent): string {
  const subject = subjectOf(event);
  if (subject === undefined || !submitRequestSchema.shape.user.safeParse(subject).success) {
    throw new Refusal(HttpErrorCode.FORBIDDEN, 'the token names no subject (claim sub) of 1 to 256 characters');
  }
  return subject;
}

function chooseKey(header: string | undefined, field: string | undefined): string | undefined {
  if (header === undefined) {
    return field;
  }
  const result = submitRequestSchema.shape.idempotencyKey.safeParse(header);
  if (!result.success) {
    throw invalid([{ path: 'header Idempotency-Key', message: result.error.issues[0]?.message ?? 'is not valid' }]);
  }
  if (field !== undefined && field !== header) {
    throw invalid([{ path: '$.idempotencyKey', message: 'differs from the header Idempotency-Key: give one of them' }]);
  }
  return header;
}
