import {
  AGENT_PROTOCOL_VERSION,
  AgentPath,
  agentHealthSchema,
  attemptResponseSchema,
  beginStepRequestSchema,
  beginToolRequestSchema,
  begunResponseSchema,
  cancelRequestSchema,
  checkpointRequestSchema,
  doneSchema,
  ENVELOPE_BYTES,
  FLAG_TYPES,
  failStepRequestSchema,
  finishStepRequestSchema,
  finishStepResponseSchema,
  flagResponseSchema,
  modelRequestSchema,
  modelResponseSchema,
  promptRequestSchema,
  promptResponseSchema,
  protocolErrorBodySchema,
  runRequestSchema,
  runResponseSchema,
  scoreRequestSchema,
  secretRequestSchema,
  secretResponseSchema,
  sessionRequestSchema,
  sessionResponseSchema,
  TaskPath,
  usageRequestSchema,
  usageResponseSchema,
  WORKER_HEALTH_PATH,
  workerHealthSchema,
} from './agent-protocol';
import { AGENT_PORT_VARIABLE, DEFAULT_AGENT_PORT, DEFAULT_WORKER_PORT } from './containers';
import { TASKS_PATH } from './http-api';
import { type JsonObject, jsonSchemaOf, type NamedSchema, ref, requestBody, response } from './openapi-parts';
import { MAX_PAYLOAD_BYTES } from './payloads';
import { TASK_ID_PATTERN } from './task';

const EXAMPLE_ID = 't-3f2a9c0d5e7b41868c1d2e3f4a5b6c7d';
const EXAMPLE_ATTEMPT = { id: EXAMPLE_ID, attempt: 1 };
const EXAMPLE_USAGE = { modelCalls: 1, toolCalls: 1, inputTokens: 600, outputTokens: 80, cost: 0.001 };

/** Schemas of the bodies, by the names that the document gives them, each with an example. */
const BODIES = {
  AgentHealth: {
    schema: agentHealthSchema,
    example: { protocol: AGENT_PROTOCOL_VERSION, probe: { input: { question: 'Are you there?' } } },
  },
  RunRequest: {
    schema: runRequestSchema,
    example: {
      protocol: AGENT_PROTOCOL_VERSION,
      task: {
        ...EXAMPLE_ATTEMPT,
        agent: 'support',
        release: 'r-0123456789ab',
        lane: 'stable',
        priority: 'normal',
        mode: 'live',
        user: 'user-42',
        session: 'chat-7',
        createdAt: '2026-01-01T00:00:00.000Z',
      },
      input: { question: 'Where is my order?' },
      worker: { url: `http://127.0.0.1:${DEFAULT_WORKER_PORT}${TASKS_PATH}/${EXAMPLE_ID}`, token: '5f1d…' },
    },
  },
  RunResponse: { schema: runResponseSchema, example: { result: { answer: 'It left the warehouse this morning.' } } },
  CancelRequest: {
    schema: cancelRequestSchema,
    example: {
      protocol: AGENT_PROTOCOL_VERSION,
      task: EXAMPLE_ATTEMPT,
      reason: 'cancelled',
      message: 'the task was cancelled by its caller',
    },
  },
  CheckpointRequest: {
    schema: checkpointRequestSchema,
    example: { protocol: AGENT_PROTOCOL_VERSION, task: EXAMPLE_ATTEMPT, reason: 'worker_stops', secondsLeft: 105 },
  },
  Done: { schema: doneSchema, example: {} },
  Attempt: { schema: attemptResponseSchema, example: { task: EXAMPLE_ATTEMPT, usage: EXAMPLE_USAGE } },
  BeginStepRequest: { schema: beginStepRequestSchema, example: { name: 'refund', input: { orderId: '1001' } } },
  BeginToolRequest: { schema: beginToolRequestSchema, example: { name: 'search', input: { q: 'returns' } } },
  BegunResponse: {
    schema: begunResponseSchema,
    example: { state: 'begun', step: 's1', idempotencyKey: '9b74c9897bac770ffc029102a200c5de', sandboxed: false },
  },
  FinishStepRequest: { schema: finishStepRequestSchema, example: { value: { accepted: true } } },
  FinishStepResponse: { schema: finishStepResponseSchema, example: { value: { accepted: true } } },
  FailStepRequest: { schema: failStepRequestSchema, example: { message: 'the payment service did not answer' } },
  ModelRequest: { schema: modelRequestSchema, example: { prompt: 'Answer the question: …', maxTokens: 200 } },
  ModelResponse: {
    schema: modelResponseSchema,
    example: {
      text: 'It left the warehouse this morning.',
      stopReason: 'end_turn',
      model: 'claude-haiku-4-5-20251001',
      usage: { inputTokens: 600, outputTokens: 80, cost: 0.001 },
    },
  },
  UsageRequest: {
    schema: usageRequestSchema,
    example: { model: 'claude-haiku-4-5-20251001', inputTokens: 600, outputTokens: 80 },
  },
  UsageResponse: { schema: usageResponseSchema, example: { cost: 0.001, usage: EXAMPLE_USAGE } },
  PromptRequest: { schema: promptRequestSchema, example: { variables: { question: 'Where is my order?' } } },
  PromptResponse: { schema: promptResponseSchema, example: { text: 'Answer the question: Where is my order?' } },
  SessionRequest: { schema: sessionRequestSchema, example: { state: { greeted: true } } },
  SessionResponse: { schema: sessionResponseSchema, example: { id: 'chat-7', state: { greeted: true } } },
  FlagResponse: { schema: flagResponseSchema, example: { value: true } },
  SecretRequest: { schema: secretRequestSchema, example: { rejected: '…' } },
  SecretResponse: { schema: secretResponseSchema, example: { value: '…' } },
  ScoreRequest: { schema: scoreRequestSchema, example: { value: 0.9 } },
  WorkerHealth: {
    schema: workerHealthSchema,
    example: { state: 'polling', tasks: 1, agent: { healthy: true }, lastPollAt: '2026-01-01T00:00:00.000Z' },
  },
  Error: {
    schema: protocolErrorBodySchema,
    example: {
      error: {
        code: 'tool_input',
        message: 'tool "search" was called with a wrong input: search.input.q: expected string',
        kind: 'fatal',
      },
    },
  },
} as const satisfies Record<string, NamedSchema>;

type BodyName = keyof typeof BODIES;

/** The OpenAPI 3.1 document of the protocol between an agent in a container and its worker, made from its schemas. */
export function agentOpenApiDocument(version: string): JsonObject {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Agents in containers',
      version,
      description:
        `Version ${AGENT_PROTOCOL_VERSION} of the protocol. Operations tagged \`agent\` are what an agent's container answers, those tagged \`worker\` what the worker beside it answers. ` +
        'Pass over members that you do not know in what the worker sends; what you send is checked to the letter. ' +
        `A value may have ${MAX_PAYLOAD_BYTES} bytes of JSON, a request or an answer ${ENVELOPE_BYTES} more.`,
    },
    tags: [
      {
        name: 'agent',
        description: `Answered by the agent, at the port that its environment variable ${AGENT_PORT_VARIABLE} names.`,
      },
      {
        name: 'worker',
        description:
          'Answered by the worker, at the URL and with the token that come with a task. 410: the attempt has ended, stop working on it.',
      },
    ],
    paths: {
      ...Object.fromEntries(
        Object.entries(agentPaths()).map(([path, item]) => [path, { servers: [server(DEFAULT_AGENT_PORT)], ...item }]),
      ),
      ...Object.fromEntries(
        Object.entries(workerPaths()).map(([path, item]) => [
          `${TASKS_PATH}/{id}${path}`,
          { servers: [server(DEFAULT_WORKER_PORT)], parameters: parametersOf(`${TASKS_PATH}/{id}${path}`), ...item },
        ]),
      ),
    },
    components: {
      schemas: {
        Json: { description: 'Any JSON value.' },
        ...Object.fromEntries(Object.entries(BODIES).map(([name, body]) => [name, jsonSchemaOf(body)])),
      },
      securitySchemes: {
        attempt: {
          type: 'http',
          scheme: 'bearer',
          description: '`worker.token` of `POST /run`: good for that attempt.',
        },
      },
    },
  };
}

/** The worker's health is at the same path as the agent's, on another port: told apart by what they say. */
function agentPaths(): Record<string, JsonObject> {
  return {
    [AgentPath.HEALTH]: {
      get: {
        operationId: 'getHealth',
        tags: ['agent', 'worker'],
        summary: 'Say whether tasks can be taken',
        description: `Of the agent: any 2xx is healthy, and the body may be left out. An agent gets tasks only while it is healthy; after a minute without, its ECS task is replaced. The worker answers \`GET ${WORKER_HEALTH_PATH}\` at its own port with \`WorkerHealth\`.`,
        responses: {
          '200': response('Healthy.', { anyOf: [ref('AgentHealth'), ref('WorkerHealth')] }),
          '503': response('Not healthy.', { anyOf: [ref('Json'), ref('WorkerHealth')] }),
        },
      },
    },
    [AgentPath.RUN]: {
      post: {
        operationId: 'run',
        tags: ['agent'],
        summary: 'Do a task',
        description:
          'Answer when it is done, however long that takes. As many requests come at once as the worker has slots. The connection is closed when the attempt ends before the answer.',
        requestBody: requestBody('RunRequest'),
        responses: {
          '200': response('Done, or not to be done, or at a checkpoint.', ref('RunResponse')),
          '4XX': response(
            'Not to be done. Without a body of the protocol the task fails with `agent_error`; 404, 405, 429: it is tried again.',
            ref('Error'),
          ),
          '5XX': response(
            'As 4XX. Without a body of the protocol 502, 503 and 504 have the task tried again.',
            ref('Error'),
          ),
        },
      },
    },
    [AgentPath.CANCEL]: {
      post: {
        operationId: 'cancel',
        tags: ['agent'],
        summary: 'Stop working on a task',
        description: 'The attempt has ended; what it answers is not listened to. What this answers does not matter.',
        requestBody: requestBody('CancelRequest'),
        responses: { '2XX': response('Heard.', ref('Json')), '404': response('Not offered.', ref('Json')) },
      },
    },
    [AgentPath.CHECKPOINT]: {
      post: {
        operationId: 'checkpoint',
        tags: ['agent'],
        summary: 'Finish soon, or get to a checkpoint',
        description:
          'The worker must stop. End the task in the time that is left; or finish the step at hand and answer `POST /run` with `checkpointed`. An attempt that does neither is ended then, with the steps it has finished.',
        requestBody: requestBody('CheckpointRequest'),
        responses: { '2XX': response('Heard.', ref('Json')), '404': response('Not offered.', ref('Json')) },
      },
    },
  };
}

/** Below the URL of a task. */
function workerPaths(): Record<string, JsonObject> {
  const { STEPS, TOOLS, FINISH, FAIL, MODEL, USAGE, PROMPTS, SESSION, FLAGS, SECRETS, SCORE } = TaskPath;
  return {
    '': {
      get: operation('getAttempt', 'Ask whether the attempt goes on', 'Attempt', {
        description:
          'For agents that rather ask than be told: 410 once it has ended; `checkpoint` is there when the worker must stop.',
      }),
    },
    [STEPS]: {
      post: operation('beginStep', 'Begin something that is done once per task', 'BegunResponse', {
        body: 'BeginStepRequest',
        description: 'Any number may be under way at once, one within another too.',
      }),
    },
    [TOOLS]: {
      post: operation('beginTool', 'Begin a tool call', 'BegunResponse', {
        body: 'BeginToolRequest',
        description:
          "As a step, but known by name and input, checked against the release's schema, counted and limited.",
      }),
    },
    [`${STEPS}/{step}${FINISH}`]: {
      post: operation('finishStep', 'Say what a step or a tool gave', 'FinishStepResponse', {
        body: 'FinishStepRequest',
      }),
    },
    [`${STEPS}/{step}${FAIL}`]: {
      post: operation('failStep', 'Say that a step or a tool failed', 'Done', { body: 'FailStepRequest' }),
    },
    [MODEL]: {
      post: operation('generate', "Ask the release's model", 'ModelResponse', {
        body: 'ModelRequest',
        description: 'Or its fallbacks. Kept as a step is: a later attempt that asks the same does not pay again.',
      }),
    },
    [USAGE]: {
      post: operation('reportUsage', 'Report a model call that the agent made itself', 'UsageResponse', {
        body: 'UsageRequest',
        description: 'Counted and priced as one through the worker. Past a limit the attempt ends.',
      }),
    },
    [`${PROMPTS}/{name}`]: {
      post: operation('renderPrompt', 'Fill in a prompt of the release', 'PromptResponse', { body: 'PromptRequest' }),
    },
    [SESSION]: {
      get: operation('getSession', "Read the session's state", 'SessionResponse'),
      put: operation('putSession', "Write the session's state", 'Done', {
        body: 'SessionRequest',
        description: 'After reading it: 409 `session_conflict` when another task wrote since.',
      }),
    },
    [`${FLAGS}/{name}`]: {
      get: operation('getFlag', 'Read a flag', 'FlagResponse', {
        description: 'A task keeps what a flag said to it first, over all its attempts.',
        parameters: [
          {
            name: 'type',
            in: 'query',
            required: true,
            description: 'What the flag is declared as.',
            schema: { type: 'string', enum: FLAG_TYPES },
          },
        ],
      }),
    },
    [`${SECRETS}/{name}`]: {
      get: operation('getSecret', 'Read a secret of the service', 'SecretResponse', {
        description:
          'At most five minutes old: ask anew where it may have been rotated. The worker takes its value out of what it logs and keeps; what the agent logs is its own affair.',
      }),
      post: operation('replaceSecret', 'Get another value for one that was not accepted', 'SecretResponse', {
        body: 'SecretRequest',
        description:
          'For when the other side answers 401: the secret is read again, and if it has still that value, the one before it is given, for during a rotation the other side may not know the new one yet. The same value again: there is no other.',
      }),
    },
    [SCORE]: {
      put: operation('score', "Judge the task's own result", 'Done', { body: 'ScoreRequest' }),
    },
  };
}

interface OperationOptions {
  readonly body?: BodyName;
  readonly description?: string;
  readonly parameters?: readonly JsonObject[];
}

function operation(
  operationId: string,
  summary: string,
  answer: BodyName,
  { body, description, parameters }: OperationOptions = {},
): JsonObject {
  return {
    operationId,
    tags: ['worker'],
    summary,
    description,
    security: [{ attempt: [] }],
    parameters,
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: {
      '200': response('Done.', ref(answer)),
      '400': refusal('Not a request of the protocol.'),
      '409': refusal('Something else is there: the session was changed, or the step is not under way.'),
      '410': refusal(
        'The attempt has ended, or the token is not its: stop working on the task. `error.code` says why.',
      ),
      '413': refusal('The request is too large.'),
      '422': refusal('Refused; asking again would end the same way.'),
      '429': refusal('A limit is used up: let the task wait.', RETRY_AFTER),
      '503': refusal('Something is away: let the task be tried again.', RETRY_AFTER),
    },
  };
}

const RETRY_AFTER: JsonObject = {
  'Retry-After': { description: 'Seconds, where they are known.', schema: { type: 'integer', minimum: 0 } },
};

function refusal(description: string, headers?: JsonObject): JsonObject {
  return response(description, ref('Error'), headers);
}

function server(port: number): JsonObject {
  return { url: 'http://127.0.0.1:{port}', variables: { port: { default: String(port) } } };
}

function parametersOf(path: string): JsonObject[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'id' ? { type: 'string', pattern: TASK_ID_PATTERN.source } : { type: 'string', minLength: 1 },
  }));
}
