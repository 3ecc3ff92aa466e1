import type { ErrorResponse } from '../../lib/contract';

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
  internal: 500,
  unavailable: 503,
};

/** Seconds after which a caller may try again when the store or the queues are away. */
export const RETRY_AFTER_SECONDS = 5;

/** A request that is refused, with what the caller is told. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details?: readonly ErrorDetail[],
    options?: ErrorOptions,
  ) {
    super(message, options);
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
  return { statusCode, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

export function errorResponse({ code, message, details, status }: Refusal): HttpResponse {
  const body: ErrorResponse = { error: { code, message, ...(details === undefined ? {} : { details: [...details] }) } };
  return jsonResponse(status, body, code === 'unavailable' ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {});
}

/** `sub` of the token that the JWT authorizer checked; undefined without such a token. */
export function subjectOf(event: HttpEvent): string | undefined {
  const subject = event.requestContext.authorizer?.jwt?.claims?.sub;
  return typeof subject === 'string' && subject !== '' ? subject : undefined;
}
