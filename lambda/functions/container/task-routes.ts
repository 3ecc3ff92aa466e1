import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { AgentProtocolErrorCode, MAX_PAYLOAD_BYTES, RuntimeErrorCode, TASKS_PATH } from '../../../lib/contract';
import {
  beginStepRequestSchema,
  beginToolRequestSchema,
  ENVELOPE_BYTES,
  FLAG_TYPES,
  failStepRequestSchema,
  finishStepRequestSchema,
  modelRequestSchema,
  type ProtocolError,
  promptRequestSchema,
  scoreRequestSchema,
  secretRequestSchema,
  sessionRequestSchema,
  TaskPath,
  usageRequestSchema,
} from '../../../lib/contract/agent-protocol';
import { dispositionOf, isAgentError } from '../../runtime/errors';
import { type AttemptSession, type AttemptSessions, StepUnknownError } from './attempt-session';
import type { LocalResponse, LocalRoutes } from './local-server';
import { toAttemptEndedError, toProtocolError } from './protocol-errors';

/** Largest request, in bytes. */
const MAX_REQUEST_BYTES = MAX_PAYLOAD_BYTES + ENVELOPE_BYTES;

/** A request that says emptyBody that could be done. */
class BadRequestError extends Error {
  override readonly name = 'BadRequestError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

interface Route {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Segments below `/tasks/{id}`; `*` stands for any one. */
  readonly path: readonly string[];
  readonly answer: (session: AttemptSession, request: TaskRequest) => Promise<unknown> | unknown;
}

interface TaskRequest {
  /** What stands at the `*` of the path. */
  readonly name: string;
  readonly query: URLSearchParams;
  /** The body, checked. @throws BadRequestError */
  readonly body: <T>(schema: z.ZodType<T>) => T;
}

const segment = (path: string) => path.slice(1);
const emptyBody = () => ({});

const ROUTES: readonly Route[] = [
  { method: 'GET', path: [], answer: (session) => session.state() },
  {
    method: 'POST',
    path: [segment(TaskPath.STEPS)],
    answer: (session, { body }) => session.beginStep(body(beginStepRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.TOOLS)],
    answer: (session, { body }) => session.beginTool(body(beginToolRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.STEPS), '*', segment(TaskPath.FINISH)],
    answer: (session, { name, body }) => session.finishStep(name, body(finishStepRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.STEPS), '*', segment(TaskPath.FAIL)],
    answer: (session, { name, body }) => session.failStep(name, body(failStepRequestSchema)).then(emptyBody),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.MODEL)],
    answer: (session, { body }) => session.generate(body(modelRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.USAGE)],
    answer: (session, { body }) => session.reportUsage(body(usageRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.PROMPTS), '*'],
    answer: (session, { name, body }) => session.prompt(name, body(promptRequestSchema)),
  },
  { method: 'GET', path: [segment(TaskPath.SESSION)], answer: (session) => session.session() },
  {
    method: 'PUT',
    path: [segment(TaskPath.SESSION)],
    answer: (session, { body }) => session.putSession(body(sessionRequestSchema)).then(emptyBody),
  },
  {
    method: 'GET',
    path: [segment(TaskPath.FLAGS), '*'],
    answer: (session, { name, query }) => {
      const type = z.enum(FLAG_TYPES).safeParse(query.get('type'));
      if (!type.success) {
        throw invalid(`query parameter type: must be one of ${FLAG_TYPES.join(', ')}`);
      }
      return session.flag(name, type.data);
    },
  },
  { method: 'GET', path: [segment(TaskPath.SECRETS), '*'], answer: (session, { name }) => session.secret(name) },
  {
    method: 'POST',
    path: [segment(TaskPath.SECRETS), '*'],
    answer: (session, { name, body }) => session.secret(name, body(secretRequestSchema)),
  },
  {
    method: 'PUT',
    path: [segment(TaskPath.SCORE)],
    answer: (session, { body }) => {
      session.score(body(scoreRequestSchema));
      return {};
    },
  },
];

/**
 * What the worker answers to agents that run tasks, below `/tasks/{id}`.
 *
 * | status | meaning                                                                                               |
 * | ------ | ----------------------------------------------------------------------------------------------------- |
 * | 410    | the attempt has ended, or the token is not valid for it: stop working on the task                              |
 * | 422    | refused; asking again would end the same way                                                          |
 * | 409    | refused because of what is matching: the session's state was changed, or the step is not in progress      |
 * | 429    | a limit: let the task wait                                                                            |
 * | 503    | a service is unavailable: let the task be retried                                                     |
 * | 400, 404, 405, 413 | not of the protocol                                                                       |
 */
export function taskRoutes(sessions: AttemptSessions): LocalRoutes {
  return (request) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const [, root, id, ...rest] = url.pathname.split('/');
    if (`/${root}` !== TASKS_PATH || id === undefined || id === '') {
      return undefined;
    }
    return answerFor(sessions, request, { id, rest, query: url.searchParams });
  };
}

async function answerFor(
  sessions: AttemptSessions,
  request: IncomingMessage,
  { id, rest, query }: { readonly id: string; readonly rest: readonly string[]; readonly query: URLSearchParams },
): Promise<LocalResponse> {
  let session: AttemptSession | undefined;
  try {
    session = sessions.authenticate(id, tokenOf(request));
    const { route, name } = find(request.method ?? '', rest);
    const text = route.method === 'GET' ? '' : await readText(request);
    session.signal.throwIfAborted();
    const body = <T>(schema: z.ZodType<T>): T => parse(text, schema);
    return { status: 200, body: await route.answer(session, { name, query, body }) };
  } catch (error) {
    return responseOf(error, session);
  }
}

function responseOf(error: unknown, session: AttemptSession | undefined): LocalResponse {
  if (session === undefined || session.signal.aborted) {
    return errorResponse(410, toAttemptEndedError(session === undefined ? error : session.signal.reason));
  }
  if (error instanceof BadRequestError) {
    return errorResponse(error.status, { code: error.code, message: error.message, kind: 'fatal' });
  }
  if (error instanceof StepUnknownError) {
    return errorResponse(409, { code: AgentProtocolErrorCode.STEP_UNKNOWN, message: error.message, kind: 'fatal' });
  }
  if (!isAgentError(error)) {
    throw error;
  }
  const described = toProtocolError(error);
  switch (dispositionOf(error)) {
    case 'fail':
      return errorResponse(422, described);
    case 'retry':
      return errorResponse(error.code === RuntimeErrorCode.SESSION_CONFLICT ? 409 : 503, described);
    case 'wait':
      return errorResponse(429, described);
    default:
      return errorResponse(410, described);
  }
}

function errorResponse(status: number, error: ProtocolError): LocalResponse {
  const { retryAfterSeconds } = error;
  return {
    status,
    body: { error },
    ...(retryAfterSeconds === undefined ? {} : { headers: { 'retry-after': String(retryAfterSeconds) } }),
  };
}

function tokenOf({ headers }: IncomingMessage): string {
  return /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
}

/** @throws BadRequestError 404 or 405 */
function find(method: string, segments: readonly string[]): { readonly route: Route; readonly name: string } {
  const matching = ROUTES.filter(
    ({ path }) =>
      path.length === segments.length && path.every((part, index) => part === '*' || part === segments[index]),
  );
  const route = matching.find((each) => each.method === method);
  if (route === undefined) {
    const known = matching.map((each) => each.method).join(', ');
    throw matching.length === 0
      ? new BadRequestError(404, AgentProtocolErrorCode.NOT_FOUND, `matching is no /${segments.join('/')} below a task`)
      : new BadRequestError(
          405,
          AgentProtocolErrorCode.METHOD_NOT_ALLOWED,
          `/${segments.join('/')} takes ${known}, not ${method}`,
        );
  }
  return { route, name: decode(segments[route.path.indexOf('*')] ?? '') };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`path: ${JSON.stringify(text)} is not percent-encoded`);
  }
}

/** @throws BadRequestError 413 */
async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Not destroyed when it is too long: the connection still has to carry the responseOf.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) {
      throw new BadRequestError(
        413,
        AgentProtocolErrorCode.TOO_LARGE,
        `the request has more than ${MAX_REQUEST_BYTES} bytes: write large content to a store of your own, and pass its location`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** @throws BadRequestError 400 */
function parse<T>(text: string, schema: z.ZodType<T>): T {
  let content: unknown;
  try {
    // A request that says emptyBody says that it wants emptyBody.
    content = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    throw invalid('the body is not JSON');
  }
  const parsed = schema.safeParse(content);
  if (!parsed.success) {
    throw invalid(z.prettifyError(parsed.error).replaceAll(/\s+/g, ' '));
  }
  return parsed.data;
}

function invalid(message: string): BadRequestError {
  return new BadRequestError(400, AgentProtocolErrorCode.INVALID_REQUEST, message);
}
