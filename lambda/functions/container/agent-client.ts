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
import { callHttp, type LocalHttpResponse, ResponseTooLargeError, UnreachableError } from './http-call';

/** Real milliseconds for an answer to everything but a task. */
const TIMEOUT_MS = 5_000;

const MAX_HEALTH_BYTES = 64 * 1024;

/** The path is not there, or not for this method: the container does not speak the protocol. */
const NOT_SERVED: ReadonlySet<number> = new Set([404, 405, 501]);

/** A proxy, or a server that is overloaded, says so without knowing of the protocol. */
const UNAVAILABLE: ReadonlySet<number> = new Set([502, 503, 504]);

export type HealthCheckResult =
  | { readonly healthy: true; readonly description: AgentHealth }
  /** `slow`: somebody is there, and did not answer in time. */
  | { readonly healthy: false; readonly message: string; readonly slow: boolean };

/** The agent's container, as the worker sees it. */
export class AgentClient {
  readonly #url: string;

  /** @param port on this machine; by name, for it may listen on one address of localhost alone */
  constructor(port: number) {
    this.#url = `http://localhost:${port}`;
  }

  /** Does not reject. */
  async health(signal?: AbortSignal): Promise<HealthCheckResult> {
    try {
      return judge(
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
   * Has the agent do a task; takes as long as it takes.
   *
   * @throws FatalError, RetryableError or ThrottledError: the agent's own, or what its answer amounts to
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

  /** Tells the agent that the attempt has ended. Does not reject: it need not listen. */
  async cancel(request: CancelRequest): Promise<void> {
    await this.#tell(AgentPath.CANCEL, request);
  }

  /** Tells the agent that the worker must stop. Does not reject. @returns whether the agent took it */
  async checkpoint(request: CheckpointRequest): Promise<boolean> {
    return this.#tell(AgentPath.CHECKPOINT, request);
  }

  async #tell(path: string, body: unknown): Promise<boolean> {
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

function judge({ status, text }: LocalHttpResponse): HealthCheckResult {
  const unhealthy = (message: string): HealthCheckResult => ({ healthy: false, message, slow: false });
  if (status < 200 || status >= 300) {
    const said = text.replaceAll(/\s+/g, ' ').trim().slice(0, 300);
    return unhealthy(`GET ${AgentPath.HEALTH} was answered with status ${status}${said === '' ? '' : `: ${said}`}`);
  }
  const body = parseJson(text);
  // An agent need not say anything, and may say it in whatever form.
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
    : unhealthy(`what GET ${AgentPath.HEALTH} answered is not of the protocol: ${issuesOf(parsed.error)}`);
}

function readRunAnswer({ status, text, retryAfterSeconds }: LocalHttpResponse): RunResponse {
  const parsed = runResponseSchema.safeParse(parseJson(text));
  if (parsed.success && ('error' in parsed.data || status < 300)) {
    return parsed.data;
  }
  const retryAfter = retryAfterSeconds === undefined ? {} : { retryAfterMs: retryAfterSeconds * 1000 };
  const said = `the agent answered POST ${AgentPath.RUN} with status ${status}`;
  if (status === 429) {
    throw new ThrottledError(said, { code: AgentProtocolErrorCode.AGENT_THROTTLED, ...retryAfter });
  }
  if (UNAVAILABLE.has(status)) {
    throw new RetryableError(said, { code: AgentProtocolErrorCode.AGENT_UNAVAILABLE, ...retryAfter });
  }
  if (NOT_SERVED.has(status)) {
    throw new RetryableError(`${said}: it does not serve that path`, { code: AgentProtocolErrorCode.AGENT_PROTOCOL });
  }
  if (status >= 400) {
    throw new FatalError(said, { code: TaskErrorCode.AGENT_ERROR });
  }
  throw new FatalError(
    `${said} and a body that is not of the protocol: ${parsed.success ? 'a result' : issuesOf(parsed.error)}`,
    { code: AgentProtocolErrorCode.AGENT_PROTOCOL },
  );
}

function issuesOf(error: z.ZodError): string {
  return z.prettifyError(error).replaceAll(/\s+/g, ' ').slice(0, 500);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
