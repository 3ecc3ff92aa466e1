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

/** A request that says nothing that could be done. */
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
  readonly answer: (door: AttemptSession, request: TaskRequest) => Promise<unknown> | unknown;
}

interface TaskRequest {
  /** What stands at the `*` of the path. */
  readonly name: string;
  readonly query: URLSearchParams;
  /** The body, checked. @throws BadRequestError */
  readonly body: <T>(schema: z.ZodType<T>) => T;
}

const segment = (path: string) => path.slice(1);
const nothing = () => ({});

const ROUTES: readonly Route[] = [
  { method: 'GET', path: [], answer: (door) => door.state() },
  {
    method: 'POST',
    path: [segment(TaskPath.STEPS)],
    answer: (door, { body }) => door.beginStep(body(beginStepRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.TOOLS)],
    answer: (door, { body }) => door.beginTool(body(beginToolRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.STEPS), '*', segment(TaskPath.FINISH)],
    answer: (door, { name, body }) => door.finishStep(name, body(finishStepRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.STEPS), '*', segment(TaskPath.FAIL)],
    answer: (door, { name, body }) => door.failStep(name, body(failStepRequestSchema)).then(nothing),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.MODEL)],
    answer: (door, { body }) => door.generate(body(modelRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.USAGE)],
    answer: (door, { body }) => door.reportUsage(body(usageRequestSchema)),
  },
  {
    method: 'POST',
    path: [segment(TaskPath.PROMPTS), '*'],
    answer: (door, { name, body }) => door.prompt(name, body(promptRequestSchema)),
  },
  { method: 'GET', path: [segment(TaskPath.SESSION)], answer: (door) => door.session() },
  {
    method: 'PUT',
    path: [segment(TaskPath.SESSION)],
    answer: (door, { body }) => door.putSession(body(sessionRequestSchema)).then(nothing),
  },
  {
    method: 'GET',
    path: [segment(TaskPath.FLAGS), '*'],
    answer: (door, { name, query }) => {
      const type = z.enum(FLAG_TYPES).safeParse(query.get('type'));
      if (!type.success) {
        throw invalid(`query parameter type: must be one of ${FLAG_TYPES.join(', ')}`);
      }
      return door.flag(name, type.data);
    },
  },
  { method: 'GET', path: [segment(TaskPath.SECRETS), '*'], answer: (door, { name }) => door.secret(name) },
  {
    method: 'POST',
    path: [segment(TaskPath.SECRETS), '*'],
    answer: (door, { name, body }) => door.secret(name, body(secretRequestSchema)),
  },
  {
    method: 'PUT',
    path: [segment(TaskPath.SCORE)],
    answer: (door, { body }) => {
      door.score(body(scoreRequestSchema));
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
 * | 409    | refused because of what is there: the session's state was changed, or the step is not under way        |
 * | 429    | a limit: let the task wait                                                                            |
 * | 503    | something is away: let the task be tried again                                                        |
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
  let door: AttemptSession | undefined;
  try {
    door = sessions.authenticate(id, tokenOf(request));
    const { route, name } = find(request.method ?? '', rest);
    const text = route.method === 'GET' ? '' : await readText(request);
    door.signal.throwIfAborted();
    const body = <T>(schema: z.ZodType<T>): T => parse(text, schema);
    return { status: 200, body: await route.answer(door, { name, query, body }) };
  } catch (error) {
    return refusal(error, door);
  }
}

function refusal(error: unknown, door: AttemptSession | undefined): LocalResponse {
  if (door === undefined || door.signal.aborted) {
    return told(410, toAttemptEndedError(door === undefined ? error : door.signal.reason));
  }
  if (error instanceof BadRequestError) {
    return told(error.status, { code: error.code, message: error.message, kind: 'fatal' });
  }
  if (error instanceof StepUnknownError) {
    return told(409, { code: AgentProtocolErrorCode.STEP_UNKNOWN, message: error.message, kind: 'fatal' });
  }
  if (!isAgentError(error)) {
    throw error;
  }
  const described = toProtocolError(error);
  switch (dispositionOf(error)) {
    case 'fail':
      return told(422, described);
    case 'retry':
      return told(error.code === RuntimeErrorCode.SESSION_CONFLICT ? 409 : 503, described);
    case 'wait':
      return told(429, described);
    default:
      return told(410, described);
  }
}

function told(status: number, error: ProtocolError): LocalResponse {
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
  const there = ROUTES.filter(
    ({ path }) =>
      path.length === segments.length && path.every((part, index) => part === '*' || part === segments[index]),
  );
  const route = there.find((each) => each.method === method);
  if (route === undefined) {
    const known = there.map((each) => each.method).join(', ');
    throw there.length === 0
      ? new BadRequestError(404, AgentProtocolErrorCode.NOT_FOUND, `there is no /${segments.join('/')} below a task`)
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
  // Not destroyed when it is too long: the connection still has to carry the refusal.
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
    // A request that says nothing says that it wants nothing.
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
