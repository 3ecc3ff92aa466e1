import { Agent, request as httpRequest } from 'node:http';
import type { Credentials } from '../../core/principal';
import { REHEARSAL_REGION } from '../../core/resource';
import { signed } from './sigv4';

export interface ApiAnswer {
  /** 0 when the connection failed. */
  readonly status: number;
  /** Parsed JSON; undefined when the body is not JSON. */
  readonly body: unknown;
  /** Text of the body, or why there is none. */
  readonly text: string;
}

/** Longest wait for an answer, in real milliseconds: what an HTTP API gives an integration. */
const ANSWER_TIMEOUT_MS = 30_000;
const MAX_CONNECTIONS = 64;

/** A caller of the agent's HTTP API: keeps connections open and signs every request. */
export class ApiClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });

  /**
   * @param endpoint URL of the API's stage, without a slash at the end
   * @param now time for signatures, milliseconds since 1970
   */
  constructor(
    private readonly endpoint: string,
    private readonly credentials: Credentials,
    private readonly now: () => number,
  ) {}

  /** Sends one request; never throws for what the other side does. */
  send(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ApiAnswer> {
    const url = new URL(`${this.endpoint.replace(/\/$/, '')}${path}`);
    const text = body === undefined ? '' : JSON.stringify(body);
    const plain = { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const scope = { service: 'execute-api', region: REHEARSAL_REGION };
    const signedHeaders = signed({ method, url, headers: plain, body: text }, this.credentials, scope, this.now());
    return new Promise((resolve) => {
      const request = httpRequest(
        url,
        {
          method,
          agent: this.agent,
          headers: { ...signedHeaders, 'content-length': Buffer.byteLength(text) },
          timeout: ANSWER_TIMEOUT_MS,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', (error) => resolve({ status: 0, body: undefined, text: error.message }));
          response.on('end', () => {
            const answer = Buffer.concat(chunks).toString('utf8');
            resolve({ status: response.statusCode ?? 0, body: parse(answer), text: answer });
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`)));
      request.on('error', (error) => resolve({ status: 0, body: undefined, text: error.message }));
      request.end(text);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
