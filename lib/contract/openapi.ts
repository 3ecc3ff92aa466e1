import * as z from 'zod';
import {
  cancelResponseSchema,
  errorResponseSchema,
  FEEDBACK_PATH,
  feedbackRequestSchema,
  feedbackResponseSchema,
  MAX_REQUEST_BYTES,
  submitRequestSchema,
  submitResponseSchema,
  TASKS_PATH,
  taskResponseSchema,
} from './http-api';
import { type JsonObject, jsonSchemaOf, type NamedSchema, ref, requestBody, response } from './openapi-parts';
import { TASK_ID_PATTERN } from './task';

/** Error of API Gateway itself: before it invoked a function, or after a function failed. */
const gatewayErrorSchema = z.looseObject({ message: z.string().nullable() });

const EXAMPLE_ID = 't-3f2a9c0d5e7b41868c1d2e3f4a5b6c7d';
const EXAMPLE_LINKS = { self: `${TASKS_PATH}/${EXAMPLE_ID}` };

/** Schemas of the bodies, by the names that the document gives them, each with an example. */
const BODIES = {
  SubmitRequest: {
    schema: submitRequestSchema,
    example: {
      input: { question: 'Where is my order?' },
      user: 'user-42',
      session: 'chat-7',
      priority: 'high',
      timeoutSeconds: 600,
    },
  },
  SubmitResponse: {
    schema: submitResponseSchema,
    example: { id: EXAMPLE_ID, status: 'queued', links: EXAMPLE_LINKS },
  },
  Task: {
    schema: taskResponseSchema,
    example: {
      id: EXAMPLE_ID,
      status: 'succeeded',
      priority: 'high',
      release: 'r-0123456789ab',
      createdAt: '2026-01-01T00:00:00.000Z',
      attempts: 1,
      startedAt: '2026-01-01T00:00:01.000Z',
      finishedAt: '2026-01-01T00:00:09.000Z',
      result: { answer: 'It left the warehouse this morning.' },
      usage: { modelCalls: 2, toolCalls: 1, inputTokens: 1_200, outputTokens: 80, cost: 0.0016 },
      links: EXAMPLE_LINKS,
    },
  },
  CancelResponse: {
    schema: cancelResponseSchema,
    example: { id: EXAMPLE_ID, status: 'cancelled', links: EXAMPLE_LINKS },
  },
  FeedbackRequest: {
    schema: feedbackRequestSchema,
    example: { thumb: 'up', comment: 'Quick and right.' },
  },
  FeedbackResponse: {
    schema: feedbackResponseSchema,
    example: { id: EXAMPLE_ID, score: 1, links: EXAMPLE_LINKS },
  },
  Error: {
    schema: errorResponseSchema,
    example: {
      error: {
        code: 'invalid_request',
        message:
          'the request is not valid: $.user: is required: with IAM authorization the caller says whose task it is',
        details: [{ path: '$.user', message: 'is required: with IAM authorization the caller says whose task it is' }],
      },
    },
  },
  GatewayError: { schema: gatewayErrorSchema, example: { message: 'Forbidden' } },
} as const satisfies Record<string, NamedSchema>;

type BodyName = keyof typeof BODIES;

/** The OpenAPI 3.1 document of the HTTP API, generated from the schemas that the functions validate with. */
export function openApiDocument(version: string): JsonObject {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tasks of an agent',
      version,
      description:
        'A task is accepted at once, runs when a worker is free, and ends in exactly one status: succeeded, failed, ' +
        'timed_out or cancelled. Poll it with GET, or receive a webhook when it has ended. String lengths are in UTF-16 code ' +
        'units.',
    },
    servers: [
      {
        url: 'https://{api}.execute-api.{region}.amazonaws.com',
        variables: { api: { default: 'api-id' }, region: { default: 'us-east-1' } },
      },
    ],
    security: [{ signature: [] }, { token: [] }],
    paths: {
      [TASKS_PATH]: { post: submitOperation() },
      [`${TASKS_PATH}/{id}`]: { parameters: [TASK_ID], get: readOperation(), delete: cancelOperation() },
      [`${TASKS_PATH}/{id}${FEEDBACK_PATH}`]: { parameters: [TASK_ID], post: feedbackOperation() },
    },
    components: {
      schemas: {
        Json: {
          description:
            'Any JSON value that JavaScript and DynamoDB can store: integers up to 2^53 − 1, no number closer to 0 than ' +
            '1e-130, at most 31 levels of nesting, no empty member names.',
        },
        ...Object.fromEntries(
          Object.entries(BODIES).map(([name, { schema, example }]) => [
            name,
            jsonSchemaOf({ schema, example }, BEYOND_ZOD[name as BodyName]),
          ]),
        ),
      },
      securitySchemes: {
        signature: {
          type: 'apiKey',
          name: 'Authorization',
          in: 'header',
          description: 'AWS Signature Version 4, for agents deployed with IAM authorization (the default).',
          'x-amazon-apigateway-authtype': 'awsSigv4',
        },
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'For agents deployed with a JWT authorizer. `sub` is the user, who can access only their own tasks.',
        },
      },
    },
  };
}

const TASK_ID: JsonObject = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Task id from the response of `POST /tasks`.',
  schema: { type: 'string', pattern: TASK_ID_PATTERN.source },
};

const RETRY_AFTER: JsonObject = {
  'Retry-After': {
    description: 'Seconds after which to retry.',
    schema: { type: 'integer', minimum: 1 },
  },
};

function submitOperation(): JsonObject {
  return {
    operationId: 'submitTask',
    summary: 'Submit a task',
    description:
      `The body may have ${MAX_REQUEST_BYTES} bytes. API Gateway escapes it as a JSON string, so a body with very many ` +
      'quotation marks may be refused below that.',
    parameters: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        description:
          'Makes retries safe: requests of one user with the same key create one task. The same key with another request is a conflict.',
        schema: { type: 'string', minLength: 1, maxLength: 256, pattern: '^[\\x21-\\x7e]+$' },
      },
    ],
    requestBody: requestBody('SubmitRequest'),
    responses: {
      '202': answer('Accepted, by this or by an earlier request with the same key.', 'SubmitResponse', {
        Location: { description: 'Path of the task.', schema: { type: 'string' } },
      }),
      '400': refusal('Invalid request; `details` names the fields.'),
      '409': refusal('The idempotency key was used for another request.'),
      '413': refusalOrGateway('The body is too large.'),
      ...common(),
      '429': refusalOrGateway(
        'The backlog of this priority is too old (code `overloaded`: Retry-After is the number of seconds by which the ' +
          'oldest task exceeds the limit, 30 to 300), or the request rate exceeds the limit of the API (from API Gateway, ' +
          'without the header), or the daily budget of the agent or of the user is used up (code `budget_exceeded`: ' +
          'Retry-After is the number of seconds until midnight UTC).',
        RETRY_AFTER,
      ),
    },
  };
}

function readOperation(): JsonObject {
  return {
    operationId: 'getTask',
    summary: 'Read a task',
    responses: { '200': answer('The current state of the task.', 'Task'), ...common(), ...throttled(), ...unknown() },
  };
}

function cancelOperation(): JsonObject {
  return {
    operationId: 'cancelTask',
    summary: 'Cancel a task',
    description: 'Safe to retry.',
    responses: {
      '200': answer('Cancelled, by this or by an earlier request.', 'CancelResponse'),
      '202': answer(
        'The task is running: its worker sees the request at its next heartbeat, and the task ends as cancelled unless it ends first.',
        'CancelResponse',
      ),
      '409': refusal('The task has already ended with another status.'),
      ...common(),
      ...throttled(),
      ...unknown(),
    },
  };
}

function feedbackOperation(): JsonObject {
  return {
    operationId: 'giveFeedback',
    summary: 'Give feedback on a result',
    description: 'One feedback per user and task; a new one replaces the old one. Safe to retry.',
    requestBody: requestBody('FeedbackRequest'),
    responses: {
      '200': answer('Stored.', 'FeedbackResponse'),
      '400': refusal('Invalid request; `details` names the fields.'),
      '409': refusal('The task has not ended yet, or ended without running.'),
      '413': refusalOrGateway('The body is too large.'),
      ...common(),
      ...throttled(),
      ...unknown(),
    },
  };
}

/** Responses that every operation may have. */
function common(): JsonObject {
  return {
    '401': answer('Missing or invalid token.', 'GatewayError'),
    '403': refusalOrGateway('Not authorized, or a field names another user than the token.'),
    '500': refusalOrGateway(
      'Unexpected error that a retry does not fix. Code `task_unreadable`: the stored record of the task is damaged; report ' +
        'the task id to the operator of the agent.',
    ),
    '503': refusalOrGateway('A service that the API needs is unavailable; retry the request.', RETRY_AFTER),
  };
}

function throttled(): JsonObject {
  return { '429': answer('The request rate exceeds the limit of the API.', 'GatewayError') };
}

function unknown(): JsonObject {
  return { '404': refusalOrGateway("No such task: it never existed, has expired, or is another user's.") };
}

function answer(description: string, name: BodyName, headers?: JsonObject): JsonObject {
  return response(description, ref(name), headers);
}

function refusal(description: string): JsonObject {
  return response(description, ref('Error'));
}

function refusalOrGateway(description: string, headers?: JsonObject): JsonObject {
  return response(description, { anyOf: [ref('Error'), ref('GatewayError')] }, headers);
}

/** JSON schemas of refinements that zod cannot express. */
const BEYOND_ZOD: Partial<Record<BodyName, JsonObject>> = {
  FeedbackRequest: { anyOf: [{ required: ['thumb'] }, { required: ['score'] }] },
};
