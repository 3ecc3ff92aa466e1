import * as z from 'zod';
import { AgentProtocolErrorCode, MAX_PAYLOAD_BYTES, TaskErrorCode } from '../../../lib/contract';
import {
  AGENT_PROTOCOL_VERSION,
  type AgentHealth,
  AgentPath,
  agentHealthSchema,
  type CancelRequest,
  type CheckpointRequest,
  ENVELOPE_BYTES,
  type RunRequest,
  type RunResponse,
  runResponseSchema,
} from '../../../lib/contract/agent-protocol';
import { FatalError, RetryableError, ThrottledError } from '../../runtime/errors';
import { messageOf } from '../../shared/errors';
import { parseJson } from '../../shared/json';
import { callHttp, type LocalHttpResponse, ResponseTooLargeError, UnreachableError } from './http-call';

/** Timeout of every call except `run`, in real milliseconds. */
const TIMEOUT_MS = 5_000;

const MAX_HEALTH_BYTES = 64 * 1024;

/** Statuses of a container that does not implement the protocol. */
const NOT_SERVED: ReadonlySet<number> = new Set([404, 405, 501]);

/** Statuses that a proxy or an overloaded server sends. */
const UNAVAILABLE: ReadonlySet<number> = new Set([502, 503, 504]);

export type HealthCheckResult =
  | { readonly healthy: true; readonly description: AgentHealth }
  /** `slow`: the container accepted the connection but did not answer in time. */
  | { readonly healthy: false; readonly message: string; readonly slow: boolean };

/** HTTP client for the agent's container. */
export class AgentClient {
  readonly #url: string;

  /** @param port on localhost. The URL has the name because the agent may listen on one of its addresses only */
  constructor(port: number) {
    this.#url = `http://localhost:${port}`;
  }

  /** Checks the agent's health. Never rejects. */
  async health(signal?: AbortSignal): Promise<HealthCheckResult> {
    try {
      return evaluateHealth(
        await callHttp({
          method: 'GET',
          url: `${this.#url}${AgentPath.HEALTH}`,
          timeoutMs: TIMEOUT_MS,
          maxBytes: MAX_HEALTH_BYTES,
          signal,
        }),
      );
    } catch (error) {
      const slow = error instanceof UnreachableError && error.timedOut;
      return { healthy: false, message: `GET ${AgentPath.HEALTH}: ${messageOf(error)}`, slow };
    }
  }

  /**
   * Sends a task to the agent and waits for its result, without a timeout.
   *
   * @throws FatalError, RetryableError or ThrottledError: the agent's own error, or the one that its response stands for
   */
  async run(request: RunRequest, signal: AbortSignal): Promise<RunResponse> {
    let answer: LocalHttpResponse;
    try {
      answer = await callHttp({
        method: 'POST',
        url: `${this.#url}${AgentPath.RUN}`,
        body: request,
        signal,
        maxBytes: MAX_PAYLOAD_BYTES + ENVELOPE_BYTES,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ResponseTooLargeError) {
        throw new FatalError(`the agent's result is too large: at most ${MAX_PAYLOAD_BYTES} bytes of JSON are kept`, {
          code: TaskErrorCode.RESULT_TOO_LARGE,
          cause: error,
        });
      }
      throw new RetryableError(`the agent's container did not answer: ${messageOf(error)}`, {
        code: AgentProtocolErrorCode.AGENT_UNREACHABLE,
        cause: error,
      });
    }
    return readRunAnswer(answer);
  }

  /** Notifies the agent that the attempt has ended. Never rejects: the agent may ignore it. */
  async cancel(request: CancelRequest): Promise<void> {
    await this.#notify(AgentPath.CANCEL, request);
  }

  /** Notifies the agent that the worker must stop. Never rejects. @returns whether the agent accepted the request */
  async checkpoint(request: CheckpointRequest): Promise<boolean> {
    return this.#notify(AgentPath.CHECKPOINT, request);
  }

  async #notify(path: string, body: unknown): Promise<boolean> {
    const call = {
      method: 'POST',
      url: `${this.#url}${path}`,
      body,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_HEALTH_BYTES,
    };
    return callHttp({ ...call, method: 'POST' }).then(
      ({ status }) => status < 300,
      () => false,
    );
  }
}

function evaluateHealth({ status, text }: LocalHttpResponse): HealthCheckResult {
  const unhealthy = (message: string): HealthCheckResult => ({ healthy: false, message, slow: false });
  if (status < 200 || status >= 300) {
    const summary = text.replaceAll(/\s+/g, ' ').trim().slice(0, 300);
    return unhealthy(
      `GET ${AgentPath.HEALTH} was answered with status ${status}${summary === '' ? '' : `: ${summary}`}`,
    );
  }
  const body = parseJson(text);
  // The body is optional and may have any form.
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { healthy: true, description: {} };
  }
  if ('protocol' in body && body.protocol !== AGENT_PROTOCOL_VERSION) {
    return unhealthy(
      `the agent speaks version ${JSON.stringify(body.protocol)} of the protocol, this worker version ${AGENT_PROTOCOL_VERSION}`,
    );
  }
  const parsed = agentHealthSchema.safeParse(body);
  return parsed.success
    ? { healthy: true, description: parsed.data }
    : unhealthy(`the response to GET ${AgentPath.HEALTH} does not match the protocol: ${describeIssues(parsed.error)}`);
}

function readRunAnswer({ status, text, retryAfterSeconds }: LocalHttpResponse): RunResponse {
  const parsed = runResponseSchema.safeParse(parseJson(text));
  if (parsed.success && ('error' in parsed.data || status < 300)) {
    return parsed.data;
  }
  const retryAfter = retryAfterSeconds === undefined ? {} : { retryAfterMs: retryAfterSeconds * 1000 };
  const summary = `the agent answered POST ${AgentPath.RUN} with status ${status}`;
  if (status === 429) {
    throw new ThrottledError(summary, { code: AgentProtocolErrorCode.AGENT_THROTTLED, ...retryAfter });
  }
  if (UNAVAILABLE.has(status)) {
    throw new RetryableError(summary, { code: AgentProtocolErrorCode.AGENT_UNAVAILABLE, ...retryAfter });
  }
  if (NOT_SERVED.has(status)) {
    throw new RetryableError(`${summary}: it does not serve that path`, {
      code: AgentProtocolErrorCode.AGENT_PROTOCOL,
    });
  }
  if (status >= 400) {
    throw new FatalError(summary, { code: TaskErrorCode.AGENT_ERROR });
  }
  throw new FatalError(
    `${summary} and a body that does not match the protocol: ${parsed.success ? 'a result' : describeIssues(parsed.error)}`,
    { code: AgentProtocolErrorCode.AGENT_PROTOCOL },
  );
}

function describeIssues(error: z.ZodError): string {
  return z.prettifyError(error).replaceAll(/\s+/g, ' ').slice(0, 500);
}
