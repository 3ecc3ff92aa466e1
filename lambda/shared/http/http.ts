import { type ErrorResponse, HttpErrorCode } from '../../../lib/contract';

/** Event of an HTTP API (payload format 2.0), as far as the functions read it. */
export interface HttpEvent {
  readonly rawPath: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly pathParameters?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: {
    readonly http: { readonly method: string; readonly path: string };
    readonly authorizer?: { readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> } };
  };
}

export interface HttpResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded?: boolean;
}

export type ErrorCode = ErrorResponse['error']['code'];
export type ErrorDetail = NonNullable<ErrorResponse['error']['details']>[number];

/** HTTP status of each error code. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_request: 400,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  idempotency_conflict: 409,
  too_large: 413,
  overloaded: 429,
  budget_exceeded: 429,
  internal: 500,
  task_unreadable: 500,
  unavailable: 503,
};

/** Seconds after which a caller may try again when the store or the queues are unavailable. */
export const RETRY_AFTER_SECONDS = 5;

/**
 * Answers longer than this, in bytes, leave the function in base64, which API Gateway undoes. A function's answer may have
 * 6 MB, and text within it grows by a backslash with every quote, up to twice its size; base64 grows by a third, whatever
 * is in it (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
 */
const MAX_TEXT = 1024 * 1024;

export interface RefusalOptions extends ErrorOptions {
  /** Seconds after which the caller should try again. @default for `unavailable`: {@link RETRY_AFTER_SECONDS} */
  readonly retryAfterSeconds?: number;
}

/** A request that is refused, with the answer to the caller. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details?: readonly ErrorDetail[],
    { retryAfterSeconds, ...options }: RefusalOptions = {},
  ) {
    super(message, options);
    this.retryAfterSeconds =
      retryAfterSeconds ?? (code === HttpErrorCode.UNAVAILABLE ? RETRY_AFTER_SECONDS : undefined);
  }

  get status(): number {
    return STATUS[this.code];
  }
}

export function jsonResponse(
  statusCode: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  const text = JSON.stringify(body);
  const response = { statusCode, headers: { 'content-type': 'application/json', ...headers } };
  return Buffer.byteLength(text) > MAX_TEXT
    ? { ...response, body: Buffer.from(text).toString('base64'), isBase64Encoded: true }
    : { ...response, body: text };
}

export function errorResponse({ code, message, details, status, retryAfterSeconds }: Refusal): HttpResponse {
  const body: ErrorResponse = { error: { code, message, ...(details === undefined ? {} : { details: [...details] }) } };
  return jsonResponse(
    status,
    body,
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  );
}

/** The body's text: API Gateway hands over in base64 what its content type does not call text. */
export function bodyTextOf({ body = '', isBase64Encoded = false }: HttpEvent): string {
  return isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body;
}

/** `sub` of the token that the JWT authorizer checked; undefined without such a token. */
export function subjectOf(event: HttpEvent): string | undefined {
  const subject = event.requestContext.authorizer?.jwt?.claims?.sub;
  return typeof subject === 'string' && subject !== '' ? subject : undefined;
}
