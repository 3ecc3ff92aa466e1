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

/** What API Gateway says by itself, before a function was asked or when it did not answer. */
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

/** The OpenAPI 3.1 document of the HTTP API, made from the schemas that the functions check by. */
export function openApiDocument(version: string): JsonObject {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tasks of an agent',
      version,
      description:
        'A task is accepted at once, runs when its turn comes, and ends in exactly one status: succeeded, failed, ' +
        'timed_out or cancelled. Ask for it by GET, or have its end told to a webhook. Lengths of texts are counted in ' +
        'UTF-16 code units.',
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
            'Any JSON value whose numbers survive JavaScript and DynamoDB: whole numbers up to 2^53 − 1, none closer to 0 ' +
            'than 1e-130; nested up to 31 levels; no member without a name.',
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
          description: 'For agents deployed with a JWT authorizer. `sub` is the user, who meets only his own tasks.',
        },
      },
    },
  };
}

const TASK_ID: JsonObject = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'As `POST /tasks` answered it.',
  schema: { type: 'string', pattern: TASK_ID_PATTERN.source },
};

const RETRY_AFTER: JsonObject = {
  'Retry-After': {
    description: 'Seconds after which to try again.',
    schema: { type: 'integer', minimum: 1 },
  },
};

function submitOperation(): JsonObject {
  return {
    operationId: 'submitTask',
    summary: 'Hand in a task',
    description:
      `The body may have ${MAX_REQUEST_BYTES} bytes; one that consists mostly of quotation marks may be turned away ` +
      'before, for it grows on its way.',
    parameters: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        description:
          'Makes it safe to send the request again: same key of the same user, same task. For another request it is a conflict.',
        schema: { type: 'string', minLength: 1, maxLength: 256, pattern: '^[\\x21-\\x7e]+$' },
      },
    ],
    requestBody: requestBody('SubmitRequest'),
    responses: {
      '202': answer('Accepted, now or by an earlier request with the same key.', 'SubmitResponse', {
        Location: { description: 'Path of the task.', schema: { type: 'string' } },
      }),
      '400': refusal('Not a valid request; `details` names the fields.'),
      '409': refusal('The idempotency key was used for another request.'),
      '413': refusalOrGateway('The body is too large.'),
      ...common(),
      '429': refusalOrGateway(
        'Too much waits for a task of this priority (code `overloaded`: Retry-After says the seconds by which the oldest ' +
          'task has waited too long, 30 to 300), or more requests come than the API lets through (from API Gateway, ' +
          'without the header), or the budget of the agent or of the user for today is used up (code `budget_exceeded`: ' +
          'Retry-After says the seconds until midnight UTC).',
        RETRY_AFTER,
      ),
    },
  };
}

function readOperation(): JsonObject {
  return {
    operationId: 'getTask',
    summary: 'Ask for a task',
    responses: { '200': answer('The task as it is now.', 'Task'), ...common(), ...throttled(), ...unknown() },
  };
}

function cancelOperation(): JsonObject {
  return {
    operationId: 'cancelTask',
    summary: 'Cancel a task',
    description: 'Safe to send again.',
    responses: {
      '200': answer('Cancelled, now or before.', 'CancelResponse'),
      '202': answer(
        'The task runs: its worker is told at its next heartbeat, and it ends as cancelled unless it ends otherwise first.',
        'CancelResponse',
      ),
      '409': refusal('The task has ended already, otherwise than cancelled.'),
      ...common(),
      ...throttled(),
      ...unknown(),
    },
  };
}

function feedbackOperation(): JsonObject {
  return {
    operationId: 'judgeTask',
    summary: 'Say how good the result is',
    description: "Each user has one judgement about a task; a new one takes the old one's place. Safe to send again.",
    requestBody: requestBody('FeedbackRequest'),
    responses: {
      '200': answer('Taken down.', 'FeedbackResponse'),
      '400': refusal('Not a valid request; `details` names the fields.'),
      '409': refusal('The task has not ended yet, or ended before it ran.'),
      '413': refusalOrGateway('The body is too large.'),
      ...common(),
      ...throttled(),
      ...unknown(),
    },
  };
}

/** What every operation may answer. */
function common(): JsonObject {
  return {
    '401': answer('No valid token.', 'GatewayError'),
    '403': refusalOrGateway("Not allowed, or a field names a user who is not the token's."),
    '500': refusalOrGateway(
      'A failure that a repetition does not fix. Code `task_unreadable`: the stored record of the task is damaged; report ' +
        'the task id to the operator of the agent.',
    ),
    '503': refusalOrGateway('Something is away for the moment; send the request again.', RETRY_AFTER),
  };
}

function throttled(): JsonObject {
  return { '429': answer('More requests come than the API lets through.', 'GatewayError') };
}

function unknown(): JsonObject {
  return { '404': refusalOrGateway("No such task: it never was, has expired, or is another user's.") };
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

/** JSON schemas of refinements that zod cannot express as such. */
const BEYOND_ZOD: Partial<Record<BodyName, JsonObject>> = {
  FeedbackRequest: { anyOf: [{ required: ['thumb'] }, { required: ['score'] }] },
};
