import * as z from 'zod';
import { LANES, MODES, PRIORITIES } from './lanes';
import { RELEASE_ID_PATTERN } from './release';
import { TASK_ID_PATTERN, usageSchema } from './task';

/**
 * How an agent in a container of its own and the worker beside it speak with each other: JSON over HTTP on localhost, in
 * both directions. What the worker sends may grow members within a version; what the agent sends is checked to the
 * letter, so that a typing error is told and not passed over.
 */
export const AGENT_PROTOCOL_VERSION = 1;

/** What an agent answers at its own port. */
export const AgentPath = {
  HEALTH: '/health',
  RUN: '/run',
  CANCEL: '/cancel',
  CHECKPOINT: '/checkpoint',
} as const;

/** What the worker answers at its port to everybody in the task. Health of the worker. */
export const WORKER_HEALTH_PATH = '/health';

/** What the worker answers at its port to an agent, below `/tasks/{id}`. */
export const TaskPath = {
  STEPS: '/steps',
  TOOLS: '/tools',
  /** Below a step: `/steps/{step}/finish`. */
  FINISH: '/finish',
  /** Below a step: `/steps/{step}/fail`. */
  FAIL: '/fail',
  MODEL: '/model',
  USAGE: '/usage',
  PROMPTS: '/prompts',
  SESSION: '/session',
  FLAGS: '/flags',
  SECRETS: '/secrets',
  SCORE: '/score',
} as const;

/** Longest name of a step, in bytes. */
export const MAX_STEP_NAME_BYTES = 512;

/** Bytes that a message may have beyond the value in it, which has {@link MAX_PAYLOAD_BYTES} at most. */
export const ENVELOPE_BYTES = 64 * 1024;

const protocol = z.literal(AGENT_PROTOCOL_VERSION).describe('Version of this protocol.');

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') !== undefined;
  } catch {
    return false;
  }
}

const taskRef = z.object({
  id: z.string().regex(TASK_ID_PATTERN),
  attempt: z.number().int().positive().describe('Which attempt is meant.'),
});

/** `200` of `GET /health` of the agent. The body may be left out, and so may each of its members. */
export const agentHealthSchema = z.looseObject({
  protocol: protocol.optional(),
  probe: z
    .strictObject({ input: z.json() })
    .optional()
    .describe(
      'Input with which a release is tried before it gets traffic. Without it the preflight asks the model alone.',
    ),
  redact: z
    .array(
      z.strictObject({
        pattern: z
          .string()
          .min(1)
          .refine(isPattern, 'must be a regular expression of JavaScript, as it is with the flag u')
          .describe('Regular expression of JavaScript, with the flags g and u.'),
        replacement: z.string().optional().describe('Default: ***'),
      }),
    )
    .max(50)
    .optional()
    .describe('What is taken out of the transcripts of model calls. Values of secrets are taken out anyway.'),
});
export type AgentHealth = z.infer<typeof agentHealthSchema>;

/** Body of `POST /run`. */
export const runRequestSchema = z.object({
  protocol,
  task: taskRef.extend({
    agent: z.string(),
    release: z.string().regex(RELEASE_ID_PATTERN),
    lane: z.enum(LANES),
    priority: z.enum(PRIORITIES),
    mode: z
      .enum(MODES)
      .describe('`shadow`: withhold side effects. `probe`: a health check, the answer reaches nobody.'),
    user: z.string().describe('Whose task it is.'),
    session: z.string().optional().describe('Conversation that the task belongs to.'),
    createdAt: z.iso.datetime(),
  }),
  input: z.json(),
  worker: z
    .object({
      url: z.url().describe('Where the worker answers for this task, without a slash at the end: `…/tasks/{id}`.'),
      token: z.string().min(1).describe('Goes with every request to it, as bearer token. Good for this attempt.'),
    })
    .describe('How to reach the worker while the task runs.'),
});
export type RunRequest = z.infer<typeof runRequestSchema>;

/**
 * `over`: the attempt has ended, whatever the agent still does. The worker alone says it; an agent that passes the error
 * on as its own answer is not asked any more.
 */
export const ERROR_KINDS = ['fatal', 'retryable', 'throttled', 'over'] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

/** Longest time that an error asks for before its task is tried again: a day's budget ends with the day. */
export const MAX_RETRY_AFTER_SECONDS = 24 * 60 * 60;

/** Characters of a message that are kept. */
export const MAX_MESSAGE_LENGTH = 4_000;

const protocolErrorSchema = z.strictObject({
  code: z.string().min(1).max(64).describe('Stable, for programs: becomes the code of the task.'),
  message: z.string().describe(`For people: no secrets in it. ${MAX_MESSAGE_LENGTH} characters are kept.`),
  kind: z
    .enum(ERROR_KINDS)
    .optional()
    .describe(
      '`fatal` (default): the task fails. `retryable`: it is tried again, and the attempt counts. `throttled`: it waits, and the attempt does not count. `over` (from the worker alone): the attempt has ended, stop working on it.',
    ),
  retryAfterSeconds: z.number().min(0).max(MAX_RETRY_AFTER_SECONDS).optional(),
});
export type ProtocolError = z.infer<typeof protocolErrorSchema>;

/** Any 4xx or 5xx of the worker; and what an agent answers that could not do its task, with any status. */
export const protocolErrorBodySchema = z.strictObject({ error: protocolErrorSchema });
export type ProtocolErrorBody = z.infer<typeof protocolErrorBodySchema>;

/** What an agent answers to `POST /run`. */
export const runResponseSchema = z.union([
  z.strictObject({ result: z.json() }).describe('The task is done.'),
  protocolErrorBodySchema.describe('It could not be done.'),
  z
    .strictObject({ checkpointed: z.literal(true) })
    .describe('Only after `POST /checkpoint`: what is finished is in steps, another worker goes on at once.'),
]);
export type RunResponse = z.infer<typeof runResponseSchema>;

/** Body of `POST /cancel`: the attempt has ended for the worker; nothing that the agent still does counts. */
export const cancelRequestSchema = z.object({
  protocol,
  task: taskRef,
  reason: z.string().describe('`cancelled`, `timed_out`, `limit_exceeded`, `requeued`, `lease_lost`, or another code.'),
  message: z.string(),
});
export type CancelRequest = z.infer<typeof cancelRequestSchema>;

/** Body of `POST /checkpoint`: the worker has been told to stop. */
export const checkpointRequestSchema = z.object({
  protocol,
  task: taskRef,
  reason: z.enum(['worker_stops']),
  secondsLeft: z
    .number()
    .nonnegative()
    .describe('Then the attempt ends, and another worker goes on from the steps that are finished.'),
});
export type CheckpointRequest = z.infer<typeof checkpointRequestSchema>;

/** Nothing to say. */
export const doneSchema = z.strictObject({});

const within = z
  .string()
  .min(1)
  .optional()
  .describe(
    'Step (by its id) of which this is a part. A step that is given from the journal brings its parts with it.',
  );

const stepName = z
  .string()
  .min(1)
  .refine((name) => Buffer.byteLength(name) <= MAX_STEP_NAME_BYTES, `must have ${MAX_STEP_NAME_BYTES} bytes at most`);

/** Body of `POST …/steps`. */
export const beginStepRequestSchema = z.strictObject({
  name: stepName.describe(`Unique within the task, and kept over releases. At most ${MAX_STEP_NAME_BYTES} bytes.`),
  input: z
    .json()
    .optional()
    .describe(
      'What the value depends on. An attempt that gives another input than the one that finished the step fails.',
    ),
  within,
});
export type BeginStepRequest = z.infer<typeof beginStepRequestSchema>;

/** Body of `POST …/tools`. */
export const beginToolRequestSchema = z.strictObject({
  name: z.string().min(1).describe('The release holds a JSON schema of that name: the input is checked against it.'),
  input: z.json(),
  sandbox: z
    .boolean()
    .optional()
    .describe('The agent has something harmless to run in place of the tool where the environment wants that.'),
  within,
});
export type BeginToolRequest = z.infer<typeof beginToolRequestSchema>;

/** `200` of `POST …/steps` and `POST …/tools`. */
export const begunResponseSchema = z.union([
  z
    .strictObject({ state: z.literal('finished'), value: z.json() })
    .describe('An earlier attempt did it: go on with the value.'),
  z
    .strictObject({
      state: z.literal('begun'),
      step: z.string().describe('Id, for what follows.'),
      idempotencyKey: z
        .string()
        .describe('The same in every attempt. Hand it to whatever must not happen twice: a payment, an order.'),
      sandboxed: z.boolean().describe('Tools: run what stands in its place, not the tool.'),
    })
    .describe('Do it now; then say how it went.'),
]);
export type BegunResponse = z.infer<typeof begunResponseSchema>;

/** Body of `POST …/steps/{step}/finish`. */
export const finishStepRequestSchema = z.strictObject({ value: z.json() });
export type FinishStepRequest = z.infer<typeof finishStepRequestSchema>;

/** `200` of it: the value as every later attempt gets it. */
export const finishStepResponseSchema = z.strictObject({ value: z.json() });
export type FinishStepResponse = z.infer<typeof finishStepResponseSchema>;

/** Body of `POST …/steps/{step}/fail`. Nothing is kept: the step may be begun again. */
export const failStepRequestSchema = z.strictObject({ message: z.string().describe('For the log.') });
export type FailStepRequest = z.infer<typeof failStepRequestSchema>;

/** Body of `POST …/model`: a call of the release's chain of models. */
export const modelRequestSchema = z.strictObject({
  prompt: z.string(),
  system: z.string().optional(),
  maxTokens: z.number().int().positive().optional().describe("Default and most: the release's."),
  model: z
    .string()
    .min(1)
    .optional()
    .describe("Id of the model of the release's chain that is asked first. Default: the primary."),
  within,
});
export type ModelRequestBody = z.infer<typeof modelRequestSchema>;

/** `200` of it. */
export const modelResponseSchema = z.strictObject({
  text: z.string(),
  stopReason: z.string().describe("Why the model stopped, in the provider's words."),
  model: z.string().describe('Id of the model that answered.'),
  usage: z.strictObject({
    inputTokens: z.number().int().nonnegative(),
    outputTokens: z.number().int().nonnegative(),
    cost: z.number().nonnegative().describe('US dollars.'),
  }),
});
export type ModelResponseBody = z.infer<typeof modelResponseSchema>;

/** Body of `POST …/usage`: a call of a model that the agent made itself. One report for each call. */
export const usageRequestSchema = z.strictObject({
  model: z.string().min(1).describe("Id of a model of the release's chain: the call is priced by its prices."),
  inputTokens: z.number().int().nonnegative(),
  outputTokens: z.number().int().nonnegative(),
  within,
});
export type UsageRequest = z.infer<typeof usageRequestSchema>;

/** `200` of it. */
export const usageResponseSchema = z.strictObject({
  cost: z.number().nonnegative().describe('Of this call, in US dollars.'),
  usage: usageSchema.describe('Of the task, over all its attempts.'),
});
export type UsageResponse = z.infer<typeof usageResponseSchema>;

/** Body of `POST …/prompts/{name}`. */
export const promptRequestSchema = z.strictObject({
  variables: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});
export type PromptRequest = z.infer<typeof promptRequestSchema>;

/** `200` of it. */
export const promptResponseSchema = z.strictObject({ text: z.string() });
export type PromptResponse = z.infer<typeof promptResponseSchema>;

/** `200` of `GET …/session`. */
export const sessionResponseSchema = z.strictObject({
  id: z.string().optional().describe('Absent for a task without a session.'),
  state: z.json().optional().describe('Absent when there is none, or it has expired.'),
});
export type SessionResponse = z.infer<typeof sessionResponseSchema>;

/** Body of `PUT …/session`. */
export const sessionRequestSchema = z.strictObject({ state: z.json() });
export type SessionRequest = z.infer<typeof sessionRequestSchema>;

export const FLAG_TYPES = ['boolean', 'number', 'string'] as const;
export type FlagType = (typeof FLAG_TYPES)[number];

/** `200` of `GET …/flags/{name}?type=…`. */
export const flagResponseSchema = z.strictObject({ value: z.union([z.boolean(), z.number(), z.string()]) });
export type FlagResponse = z.infer<typeof flagResponseSchema>;

/** Body of `POST …/secrets/{name}`. */
export const secretRequestSchema = z.strictObject({
  rejected: z.string().min(1).describe('The value that was not accepted.'),
});
export type SecretRequest = z.infer<typeof secretRequestSchema>;

/** `200` of `GET` and `POST …/secrets/{name}`. */
export const secretResponseSchema = z.strictObject({ value: z.string() });
export type SecretResponse = z.infer<typeof secretResponseSchema>;

/** Body of `PUT …/score`. */
export const scoreRequestSchema = z.strictObject({
  value: z.number().min(0).max(1).describe("The agent's own judgement of its answer. The last one counts."),
});
export type ScoreRequest = z.infer<typeof scoreRequestSchema>;

/** `200` of `GET /tasks/{id}`: the attempt goes on. */
export const attemptResponseSchema = z.strictObject({
  task: z.strictObject({ id: z.string().regex(TASK_ID_PATTERN), attempt: z.number().int().positive() }),
  usage: usageSchema,
  checkpoint: z
    .strictObject({ reason: z.enum(['worker_stops']), secondsLeft: z.number().nonnegative() })
    .optional()
    .describe('There when `POST /checkpoint` was sent: for agents that rather ask.'),
});
export type AttemptResponse = z.infer<typeof attemptResponseSchema>;

/** `GET /health` of the worker: 200 while it is fit to take tasks, else 503. */
export const workerHealthSchema = z.strictObject({
  state: z.enum(['starting', 'polling', 'refusing', 'draining']),
  /** Tasks that run. */
  tasks: z.number().int().nonnegative(),
  /** Of the agent's container; absent when the agent runs in the worker's process. */
  agent: z.strictObject({ healthy: z.boolean(), message: z.string().optional() }).optional(),
  /** When SQS last answered. Absent: not yet. */
  lastPollAt: z.iso.datetime().optional(),
  message: z.string().optional(),
});
export type WorkerHealth = z.infer<typeof workerHealthSchema>;
