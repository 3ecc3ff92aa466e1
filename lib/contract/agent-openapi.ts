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
    example: { protocol: AGENT_PROTOCOL_VERSION, task: EXAMPLE_ATTEMPT, reason: 'worker_stopping', secondsLeft: 105 },
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

/** The OpenAPI 3.1 document of the protocol between an agent's container and its worker, generated from its schemas. */
export function agentOpenApiDocument(version: string): JsonObject {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Protocol of agents in containers',
      version,
      description:
        `Version ${AGENT_PROTOCOL_VERSION} of the protocol. The agent's container serves the operations tagged \`agent\`, the worker beside it those tagged \`worker\`. ` +
        'Ignore unknown members in messages from the worker; the worker rejects unknown members in messages from the agent. ' +
        `A value may have ${MAX_PAYLOAD_BYTES} bytes of JSON, a request or a response ${ENVELOPE_BYTES} bytes more.`,
    },
    tags: [
      {
        name: 'agent',
        description: `Served by the agent, on the port in its environment variable ${AGENT_PORT_VARIABLE}.`,
      },
      {
        name: 'worker',
        description:
          'Served by the worker, at the URL and with the token that `POST /run` contains. 410: the attempt has ended; stop working on the task.',
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
          description: '`worker.token` of `POST /run`: valid for that attempt.',
        },
      },
    },
  };
}

/** The health checks of worker and agent have the same path, on different ports and with different bodies. */
function agentPaths(): Record<string, JsonObject> {
  return {
    [AgentPath.HEALTH]: {
      get: {
        operationId: 'getHealth',
        tags: ['agent', 'worker'],
        summary: 'Check health',
        description: `Agent: any 2xx is healthy, and the body is optional. An agent receives tasks only while it is healthy; after a minute of failed checks its ECS task is replaced. The worker serves \`GET ${WORKER_HEALTH_PATH}\` on its own port with \`WorkerHealth\`.`,
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
        summary: 'Run a task',
        description:
          'Respond when the task is finished; there is no response timeout. The worker sends up to as many concurrent requests as it has slots, and closes the connection when the attempt ends before the response.',
        requestBody: requestBody('RunRequest'),
        responses: {
          '200': response('The task succeeded, failed, or reached a checkpoint.', ref('RunResponse')),
          '4XX': response(
            'The task failed. Without a body of the protocol, it fails with `agent_error`; 404, 405 and 429: it is retried.',
            ref('Error'),
          ),
          '5XX': response(
            'As 4XX. Without a body of the protocol, 502, 503 and 504: the task is retried.',
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
        description: 'The attempt has ended; its response is ignored. The response of this request is ignored as well.',
        requestBody: requestBody('CancelRequest'),
        responses: { '2XX': response('Received.', ref('Json')), '404': response('Not implemented.', ref('Json')) },
      },
    },
    [AgentPath.CHECKPOINT]: {
      post: {
        operationId: 'checkpoint',
        tags: ['agent'],
        summary: 'Finish soon, or reach a checkpoint',
        description:
          'The worker is stopping. Finish the task within `secondsLeft`, or finish the current step and respond to `POST /run` with `checkpointed`. Otherwise the worker ends the attempt then and requeues the task with its finished steps.',
        requestBody: requestBody('CheckpointRequest'),
        responses: { '2XX': response('Received.', ref('Json')), '404': response('Not implemented.', ref('Json')) },
      },
    },
  };
}

/** Paths below the URL of a task. */
function workerPaths(): Record<string, JsonObject> {
  const { STEPS, TOOLS, FINISH, FAIL, MODEL, USAGE, PROMPTS, SESSION, FLAGS, SECRETS, SCORE } = TaskPath;
  return {
    '': {
      get: operation('getAttempt', 'Check whether the attempt is still running', 'Attempt', {
        description:
          'For agents that poll: 410 when the attempt has ended; `checkpoint` is present when the worker is stopping.',
      }),
    },
    [STEPS]: {
      post: operation('beginStep', 'Begin a step, which runs once per task', 'BegunResponse', {
        body: 'BeginStepRequest',
        description: 'Steps may run concurrently and may be nested.',
      }),
    },
    [TOOLS]: {
      post: operation('beginTool', 'Begin a tool call', 'BegunResponse', {
        body: 'BeginToolRequest',
        description:
          "Like a step, but identified by name and input, validated against the release's schema, counted and limited.",
      }),
    },
    [`${STEPS}/{step}${FINISH}`]: {
      post: operation('finishStep', 'Record the value of a step or tool call', 'FinishStepResponse', {
        body: 'FinishStepRequest',
      }),
    },
    [`${STEPS}/{step}${FAIL}`]: {
      post: operation('failStep', 'Report that a step or tool call failed', 'Done', { body: 'FailStepRequest' }),
    },
    [MODEL]: {
      post: operation('generate', "Call the release's model", 'ModelResponse', {
        body: 'ModelRequest',
        description:
          'Or its fallbacks. The response is journaled like a step: a later attempt that sends the same request does not pay again.',
      }),
    },
    [USAGE]: {
      post: operation('reportUsage', 'Report a model call that the agent made itself', 'UsageResponse', {
        body: 'UsageRequest',
        description: 'Counted and priced like a call through the worker. The attempt ends when a limit is exceeded.',
      }),
    },
    [`${PROMPTS}/{name}`]: {
      post: operation('renderPrompt', 'Render a prompt of the release', 'PromptResponse', { body: 'PromptRequest' }),
    },
    [SESSION]: {
      get: operation('getSession', "Read the session's state", 'SessionResponse'),
      put: operation('putSession', "Write the session's state", 'Done', {
        body: 'SessionRequest',
        description: 'Only after reading it. 409 `session_conflict`: another task has written since.',
      }),
    },
    [`${FLAGS}/{name}`]: {
      get: operation('getFlag', 'Read a flag', 'FlagResponse', {
        description: 'The first value that a task reads is kept for all its attempts.',
        parameters: [
          {
            name: 'type',
            in: 'query',
            required: true,
            description: 'Type of the flag.',
            schema: { type: 'string', enum: FLAG_TYPES },
          },
        ],
      }),
    },
    [`${SECRETS}/{name}`]: {
      get: operation('getSecret', 'Read a secret of the service', 'SecretResponse', {
        description:
          'At most five minutes old: read it again when it may have been rotated. The worker redacts the value in its own logs and records; the agent must redact it in its logs.',
      }),
      post: operation('replaceSecret', 'Get another value for a rejected one', 'SecretResponse', {
        body: 'SecretRequest',
        description:
          'For a 401 of the service that the secret is for: the secret is read again, and if its value is unchanged, the previous value is returned, because during a rotation the service may not know the new one yet. The same value again: there is no other.',
      }),
    },
    [SCORE]: {
      put: operation('score', "Score the task's result", 'Done', { body: 'ScoreRequest' }),
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
      '200': response('Success.', ref(answer)),
      '400': refusal('Invalid request.'),
      '409': refusal('Conflict: the session was changed, or the step is not running.'),
      '410': refusal(
        'The attempt has ended, or the token belongs to another attempt: stop working on the task. `error.code` has the reason.',
      ),
      '413': refusal('The request is too large.'),
      '422': refusal('Refused; a retry would be refused as well.'),
      '429': refusal('A rate limit is used up: let the task wait.', RETRY_AFTER),
      '503': refusal('A service is unavailable: let the task be retried.', RETRY_AFTER),
    },
  };
}

const RETRY_AFTER: JsonObject = {
  'Retry-After': { description: 'Seconds, if known.', schema: { type: 'integer', minimum: 0 } },
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
