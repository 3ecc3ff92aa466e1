import * as z from 'zod';
import { LANES, MODES, PRIORITIES } from './lanes';
import { RELEASE_ID_PATTERN } from './release';
import { TASK_ID_PATTERN, usageSchema } from './task';
import { DAY_SECONDS } from './time';

/**
 * Protocol between an agent in its own container and the worker beside it: JSON over HTTP on localhost, in both directions.
 * Messages from the worker may gain members within a version. Messages from the agent are validated strictly, so that a
 * misspelled member is reported and not ignored.
 */
export const AGENT_PROTOCOL_VERSION = 1;

/** Paths that an agent serves on its own port. */
export const AgentPath = {
  HEALTH: '/health',
  RUN: '/run',
  CANCEL: '/cancel',
  CHECKPOINT: '/checkpoint',
} as const;

/** Health check of the worker, without a token. */
export const WORKER_HEALTH_PATH = '/health';

/** Paths that the worker serves to an agent, below `/tasks/{id}`. */
export const TaskPath = {
  STEPS: '/steps',
  TOOLS: '/tools',
  /** `/steps/{step}/finish`. */
  FINISH: '/finish',
  /** `/steps/{step}/fail`. */
  FAIL: '/fail',
  MODEL: '/model',
  USAGE: '/usage',
  PROMPTS: '/prompts',
  SESSION: '/session',
  FLAGS: '/flags',
  SECRETS: '/secrets',
  SCORE: '/score',
} as const;

/** Maximum length of the name of a step, in bytes: it is part of a sort key of DynamoDB, which has at most 1024. */
export const MAX_STEP_NAME_BYTES = 512;

/** Bytes of a message in addition to its value, which has at most {@link MAX_PAYLOAD_BYTES}. */
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
  attempt: z.number().int().positive().describe('Number of the attempt.'),
});

/** `200` of `GET /health` of the agent. The body and each of its members are optional. */
export const agentHealthSchema = z.looseObject({
  protocol: protocol.optional(),
  probe: z
    .strictObject({ input: z.json() })
    .optional()
    .describe(
      'Input for a probe of the release before it gets traffic. Without it, the preflight calls only the model.',
    ),
  redact: z
    .array(
      z.strictObject({
        pattern: z
          .string()
          .min(1)
          .refine(isPattern, 'must be a JavaScript regular expression that is valid with the flag u')
          .describe('JavaScript regular expression, used with the flags g and u.'),
        replacement: z.string().optional().describe('Default: ***'),
      }),
    )
    .max(50)
    .optional()
    .describe('Patterns to redact in the transcripts of model calls. Values of secrets are always redacted.'),
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
    mode: z.enum(MODES).describe('`shadow`: suppress side effects. `probe`: a health check; the result is discarded.'),
    user: z.string().describe('User of the task.'),
    session: z.string().optional().describe('Conversation that the task belongs to.'),
    createdAt: z.iso.datetime(),
  }),
  input: z.json(),
  worker: z
    .object({
      url: z.url().describe('URL of the worker for this task, without a trailing slash: `…/tasks/{id}`.'),
      token: z.string().min(1).describe('Bearer token of every request to the worker. Valid for this attempt.'),
    })
    .describe('Connection to the worker while the task runs.'),
});
export type RunRequest = z.infer<typeof runRequestSchema>;

/**
 * `ended`: the attempt has ended, and the worker ignores what the agent still does. Only the worker sends it; an agent may
 * return the error as its own response.
 */
export const ERROR_KINDS = ['fatal', 'retryable', 'throttled', 'ended'] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

/** Maximum of `retryAfterSeconds`: the longest wait is for a daily budget. */
export const MAX_RETRY_AFTER_SECONDS = DAY_SECONDS;

/** Length at which messages are truncated, in characters. */
export const MAX_MESSAGE_LENGTH = 4_000;

const protocolErrorSchema = z.strictObject({
  code: z.string().min(1).max(64).describe('Stable code for programs: becomes the error code of the task.'),
  message: z.string().describe(`Message for people, without secrets. Truncated at ${MAX_MESSAGE_LENGTH} characters.`),
  kind: z
    .enum(ERROR_KINDS)
    .optional()
    .describe(
      '`fatal` (default): the task fails. `retryable`: the task is retried, and the attempt counts. `throttled`: the task waits, and the attempt does not count. `ended` (only from the worker): the attempt has ended; stop working on the task.',
    ),
  retryAfterSeconds: z.number().min(0).max(MAX_RETRY_AFTER_SECONDS).optional(),
});
export type ProtocolError = z.infer<typeof protocolErrorSchema>;

/** Any 4xx or 5xx of the worker; and the response of an agent whose task failed, with any status. */
export const protocolErrorBodySchema = z.strictObject({ error: protocolErrorSchema });
export type ProtocolErrorBody = z.infer<typeof protocolErrorBodySchema>;

/** Response of an agent to `POST /run`. */
export const runResponseSchema = z.union([
  z.strictObject({ result: z.json() }).describe('The task succeeded.'),
  protocolErrorBodySchema.describe('The task failed.'),
  z
    .strictObject({ checkpointed: z.literal(true) })
    .describe(
      'Only after `POST /checkpoint`: the finished steps are in the journal, and another worker continues the task at once.',
    ),
]);
export type RunResponse = z.infer<typeof runResponseSchema>;

/** Body of `POST /cancel`: the attempt has ended; the worker ignores what the agent still does. */
export const cancelRequestSchema = z.object({
  protocol,
  task: taskRef,
  reason: z.string().describe('`cancelled`, `timed_out`, `limit_exceeded`, `requeued`, `lease_lost`, or another code.'),
  message: z.string(),
});
export type CancelRequest = z.infer<typeof cancelRequestSchema>;

/** Body of `POST /checkpoint`: the worker is stopping. */
export const checkpointRequestSchema = z.object({
  protocol,
  task: taskRef,
  reason: z.enum(['worker_stopping']),
  secondsLeft: z
    .number()
    .nonnegative()
    .describe('Seconds until the attempt ends and another worker continues from the finished steps.'),
});
export type CheckpointRequest = z.infer<typeof checkpointRequestSchema>;

/** Empty response. */
export const doneSchema = z.strictObject({});

const parent = z
  .string()
  .min(1)
  .optional()
  .describe('Id of the enclosing step. A step whose value comes from the journal includes its nested steps.');

const stepName = z
  .string()
  .min(1)
  .refine((name) => Buffer.byteLength(name) <= MAX_STEP_NAME_BYTES, `must have ${MAX_STEP_NAME_BYTES} bytes at most`);

/** Body of `POST …/steps`. */
export const beginStepRequestSchema = z.strictObject({
  name: stepName.describe(`Unique in the task, and stable over releases. At most ${MAX_STEP_NAME_BYTES} bytes.`),
  input: z
    .json()
    .optional()
    .describe('Input that the value depends on. An attempt that sends another input than the finished step fails.'),
  parent,
});
export type BeginStepRequest = z.infer<typeof beginStepRequestSchema>;

/** Body of `POST …/tools`. */
export const beginToolRequestSchema = z.strictObject({
  name: z.string().min(1).describe('Name of a tool of the release: the input is validated against its JSON schema.'),
  input: z.json(),
  sandbox: z
    .boolean()
    .optional()
    .describe('The agent can run a sandbox instead of the tool, where the environment requires it.'),
  parent,
});
export type BeginToolRequest = z.infer<typeof beginToolRequestSchema>;

/** `200` of `POST …/steps` and `POST …/tools`. */
export const begunResponseSchema = z.union([
  z
    .strictObject({ state: z.literal('finished'), value: z.json() })
    .describe('An earlier attempt finished the step: use its value.'),
  z
    .strictObject({
      state: z.literal('begun'),
      step: z.string().describe('Id of the step, for `finish`, `fail` and `parent`.'),
      idempotencyKey: z
        .string()
        .describe('The same in every attempt. Pass it to services that must not act twice, like payments and orders.'),
      sandboxed: z.boolean().describe('Tools: run the sandbox instead of the tool.'),
    })
    .describe('Run the step now, then report how it ended.'),
]);
export type BegunResponse = z.infer<typeof begunResponseSchema>;

/** Body of `POST …/steps/{step}/finish`. */
export const finishStepRequestSchema = z.strictObject({ value: z.json() });
export type FinishStepRequest = z.infer<typeof finishStepRequestSchema>;

/** `200` of it: the value as later attempts read it. */
export const finishStepResponseSchema = z.strictObject({ value: z.json() });
export type FinishStepResponse = z.infer<typeof finishStepResponseSchema>;

/** Body of `POST …/steps/{step}/fail`. Nothing is recorded: the step may begin again. */
export const failStepRequestSchema = z.strictObject({ message: z.string().describe('Message for the log.') });
export type FailStepRequest = z.infer<typeof failStepRequestSchema>;

/** Body of `POST …/model`: a call of the release's model chain. */
export const modelRequestSchema = z.strictObject({
  prompt: z.string(),
  system: z.string().optional(),
  maxTokens: z.number().int().positive().optional().describe("Default and maximum: the release's value."),
  model: z
    .string()
    .min(1)
    .optional()
    .describe("Id of the model in the release's chain that is called first. Default: the primary model."),
  parent,
});
export type ModelRequestBody = z.infer<typeof modelRequestSchema>;

/** `200` of it. */
export const modelResponseSchema = z.strictObject({
  text: z.string(),
  stopReason: z.string().describe('Stop reason, as the provider returns it.'),
  model: z.string().describe('Id of the model that answered.'),
  usage: z.strictObject({
    inputTokens: z.number().int().nonnegative(),
    outputTokens: z.number().int().nonnegative(),
    cost: z.number().nonnegative().describe('US dollars.'),
  }),
});
export type ModelResponseBody = z.infer<typeof modelResponseSchema>;

/** Body of `POST …/usage`: a model call that the agent made itself. One report per call. */
export const usageRequestSchema = z.strictObject({
  model: z.string().min(1).describe("Id of a model in the release's chain, whose prices apply."),
  inputTokens: z.number().int().nonnegative(),
  outputTokens: z.number().int().nonnegative(),
  parent,
});
export type UsageRequest = z.infer<typeof usageRequestSchema>;

/** `200` of it. */
export const usageResponseSchema = z.strictObject({
  cost: z.number().nonnegative().describe('Cost of this call in US dollars.'),
  usage: usageSchema.describe('Usage of the task over all attempts.'),
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
  rejected: z.string().min(1).describe('The value that the service rejected.'),
});
export type SecretRequest = z.infer<typeof secretRequestSchema>;

/** `200` of `GET` and `POST …/secrets/{name}`. */
export const secretResponseSchema = z.strictObject({ value: z.string() });
export type SecretResponse = z.infer<typeof secretResponseSchema>;

/** Body of `PUT …/score`. */
export const scoreRequestSchema = z.strictObject({
  value: z.number().min(0).max(1).describe("The agent's score of its own result. The last score counts."),
});
export type ScoreRequest = z.infer<typeof scoreRequestSchema>;

/** `200` of `GET /tasks/{id}`: the attempt is running. */
export const attemptResponseSchema = z.strictObject({
  task: z.strictObject({ id: z.string().regex(TASK_ID_PATTERN), attempt: z.number().int().positive() }),
  usage: usageSchema,
  checkpoint: z
    .strictObject({ reason: z.enum(['worker_stopping']), secondsLeft: z.number().nonnegative() })
    .optional()
    .describe('Present when `POST /checkpoint` was sent, for agents that poll.'),
});
export type AttemptResponse = z.infer<typeof attemptResponseSchema>;

/** `GET /health` of the worker: 200 while it can run tasks, else 503. */
export const workerHealthSchema = z.strictObject({
  state: z.enum(['starting', 'polling', 'unhealthy', 'draining']),
  /** Number of running tasks. */
  tasks: z.number().int().nonnegative(),
  /** Health of the agent's container; absent when the agent runs in the worker's process. */
  agent: z.strictObject({ healthy: z.boolean(), message: z.string().optional() }).optional(),
  /** Time of the last response of SQS. Absent: none yet. */
  lastPollAt: z.iso.datetime().optional(),
  message: z.string().optional(),
});
export type WorkerHealth = z.infer<typeof workerHealthSchema>;
