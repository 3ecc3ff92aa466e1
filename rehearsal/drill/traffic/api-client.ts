import { Agent, request as httpRequest } from 'node:http';
import { HttpRequest } from '@smithy/core/protocols';
import { Hash } from '@smithy/core/serde';
import { SignatureV4 } from '@smithy/signature-v4';
import { errorResponseSchema } from '../../../lib/contract';
import type { Credentials } from '../../core/principal';
import { REHEARSAL_REGION } from '../../core/resource';

export interface ApiResponse {
  /** 0 if the connection failed. */
  readonly status: number;
  /** Parsed JSON; undefined if the body is not JSON. */
  readonly body: unknown;
  /** Text of the body, or the connection error. */
  readonly text: string;
}

/** Maximum wait for a response, in real milliseconds: the integration timeout of an HTTP API. */
const RESPONSE_TIMEOUT_MS = 30_000;
const MAX_CONNECTIONS = 64;

/** A caller of the agent's HTTP API: keeps connections open and signs every request. */
export class ApiClient {
  readonly #connections = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  readonly #endpoint: string;
  readonly #credentials: Credentials;
  readonly #now: () => number;

  /**
   * @param endpoint URL of the API's stage
   * @param now time for signatures, milliseconds since 1970
   */
  constructor(endpoint: string, credentials: Credentials, now: () => number) {
    this.#endpoint = endpoint.replace(/\/$/, '');
    this.#credentials = credentials;
    this.#now = now;
  }

  /** Sends one request. Does not throw when the API fails. */
  async send(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ApiResponse> {
    const url = new URL(`${this.#endpoint}${path}`);
    const text = body === undefined ? '' : JSON.stringify(body);
    const signedHeaders = await signRequest(
      {
        method,
        url,
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        body: text,
      },
      this.#credentials,
      this.#now(),
    );
    return await new Promise((resolve) => {
      const request = httpRequest(
        url,
        {
          method,
          agent: this.#connections,
          headers: { ...signedHeaders, 'content-length': Buffer.byteLength(text) },
          timeout: RESPONSE_TIMEOUT_MS,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', (error) => resolve({ status: 0, body: undefined, text: error.message }));
          response.on('end', () => {
            const received = Buffer.concat(chunks).toString('utf8');
            resolve({ status: response.statusCode ?? 0, body: parse(received), text: received });
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error(`no response within ${RESPONSE_TIMEOUT_MS / 1000} s`)));
      request.on('error', (error) => resolve({ status: 0, body: undefined, text: error.message }));
      request.end(text);
    });
  }

  close(): void {
    this.#connections.destroy();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface RequestToSign {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Headers of a request to an HTTP API with IAM authorization, including its Signature Version 4.
 *
 * @param signedAt milliseconds since 1970
 */
export async function signRequest(
  { method, url, headers, body }: RequestToSign,
  credentials: Credentials,
  signedAt: number,
): Promise<Record<string, string>> {
  const signer = new SignatureV4({
    service: 'execute-api',
    region: REHEARSAL_REGION,
    credentials: { ...credentials, sessionToken: credentials.sessionToken || undefined },
    sha256: Hash.bind(null, 'sha256'),
  });
  const signed = await signer.sign(
    new HttpRequest({
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      port: url.port === '' ? undefined : Number(url.port),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: { ...headers, host: url.host },
      body,
    }),
    { signingDate: new Date(signedAt) },
  );
  return signed.headers;
}

/** How a caller retries a request. */
export interface RetryPolicy {
  /** Maximum number of attempts. */
  readonly maxAttempts: number;
  /** Delay before the first retry, in real milliseconds. Each further delay is twice as long. */
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  /** Whether the response allows a retry. */
  readonly isRetryable: (response: ApiResponse) => boolean;
}

/** For every caller: a throttled request is retried, a request over budget is not. */
export const RETRY_WHEN_THROTTLED: RetryPolicy = {
  maxAttempts: 20,
  initialDelayMs: 250,
  maxDelayMs: 4_000,
  isRetryable: isThrottled,
};

/**
 * For callers in a drill with injected faults: a request without an answer is retried too, which is safe because every
 * request names its task or has an idempotency key.
 */
export const RETRY_UNTIL_ANSWERED: RetryPolicy = {
  maxAttempts: 12,
  initialDelayMs: 50,
  maxDelayMs: 2_000,
  isRetryable: (response) => response.status === 0 || response.status >= 500 || isThrottled(response),
};

function isThrottled({ status, body }: ApiResponse): boolean {
  return status === 429 && errorResponseSchema.safeParse(body).data?.error.code !== 'budget_exceeded';
}

/** Sends a request until its response is final or the attempts are used up. */
export async function sendWithRetries(
  client: ApiClient,
  policy: RetryPolicy,
  ...request: Parameters<ApiClient['send']>
): Promise<ApiResponse & { readonly attempts: number }> {
  let delayMs = policy.initialDelayMs;
  for (let attempts = 1; ; attempts += 1) {
    const response = await client.send(...request);
    if (attempts >= policy.maxAttempts || !policy.isRetryable(response)) {
      return { ...response, attempts };
    }
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    delayMs = Math.min(delayMs * 2, policy.maxDelayMs);
  }
}
