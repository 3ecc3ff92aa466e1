import * as z from 'zod';
import { startRealTimer } from '../../shared/clock';
import { parseJson } from '../../shared/json';
import { RotationError } from './key-source';

/** Timeout of a provider call in real milliseconds. */
const TIMEOUT_MS = 10_000;

export interface JsonRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface JsonAnswer {
  readonly status: number;
  /** Undefined if the response is not JSON. */
  readonly body: unknown;
}

/** Calls a provider. @throws RotationError when it does not answer */
export async function requestJson({ method, url, headers, body }: JsonRequest): Promise<JsonAnswer> {
  const controller = new AbortController();
  const cancel = startRealTimer(TIMEOUT_MS, () =>
    controller.abort(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`)),
  );
  try {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      signal: controller.signal,
      // A key is sent to the host that was configured, and to no other.
      redirect: 'error',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: parseJson(text) };
  } catch (cause) {
    // The message of a fetch error has no reason; its cause has.
    const reason = (typeof cause === 'object' && cause !== null && 'cause' in cause ? cause.cause : undefined) ?? cause;
    throw new RotationError(`${method} ${withoutQuery(url)} failed: ${String(reason)}`, { cause });
  } finally {
    cancel();
  }
}

const errorSchema = z.object({
  error: z.object({ code: z.string().nullish(), type: z.string().nullish() }),
});

/**
 * Status and code of an error response. Its message is left out, because providers repeat parts of the key in it.
 */
export function describeFailure({ method, url }: JsonRequest, { status, body }: JsonAnswer): string {
  const { error } = errorSchema.safeParse(body).data ?? {};
  const code = error?.code ?? error?.type;
  return `${method} ${withoutQuery(url)} answered ${status}${code ? ` (${code})` : ''}`;
}

function withoutQuery(url: string): string {
  return url.split('?')[0] ?? url;
}
