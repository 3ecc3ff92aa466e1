import * as z from 'zod';
import {
  budgetsSchema,
  Env,
  flagSettingsSchema,
  LANES,
  RELEASE_ID_PATTERN,
  rateLimitsSchema,
} from '../../lib/contract';
import { queueUrlsSchema, readSettings, setting } from '../shared/settings';

export const workerSettingsSchema = z
  .object({
    [Env.AGENT]: setting.text,
    [Env.RELEASE]: z.string().regex(RELEASE_ID_PATTERN, 'must be a release id, r- and 12 hexadecimal digits'),
    [Env.TASKS_TABLE]: setting.text,
    [Env.SESSIONS_TABLE]: setting.text,
    [Env.CONTROL_TABLE]: setting.text,
    [Env.BEHAVIOR_BUCKET]: setting.text,
    [Env.BEHAVIOR_KEY]: setting.text,
    [Env.PAYLOAD_BUCKET]: setting.text,
    [Env.TRANSCRIPTS]: z.enum(['on', 'off']).default('off'),
    [Env.SECRETS]: setting.json(z.record(z.string(), z.string().min(1))),
    [Env.QUEUES]: setting.json(queueUrlsSchema),
    [Env.DEAD_LETTER_QUEUES]: setting.json(z.record(z.enum(LANES), z.url())),
    [Env.WEBHOOK_QUEUE]: z.url().optional(),
    [Env.TASK_RETENTION_DAYS]: setting.count,
    [Env.MAX_ATTEMPTS]: setting.count,
    [Env.MAX_IN_FLIGHT_PER_USER]: setting.count.optional(),
    [Env.RATE_LIMITS]: setting.json(rateLimitsSchema).optional(),
    [Env.BUDGETS]: setting.json(budgetsSchema).optional(),
    [Env.MAX_RECEIVES]: setting.count,
    [Env.FLAGS]: setting.json(flagSettingsSchema).optional(),
    [Env.WORKER_TIMEOUT_SECONDS]: setting.count,
  })
  .transform((values) => ({
    agent: values[Env.AGENT],
    release: values[Env.RELEASE],
    tasksTable: values[Env.TASKS_TABLE],
    sessionsTable: values[Env.SESSIONS_TABLE],
    controlTable: values[Env.CONTROL_TABLE],
    behaviorBucket: values[Env.BEHAVIOR_BUCKET],
    behaviorKey: values[Env.BEHAVIOR_KEY],
    payloadBucket: values[Env.PAYLOAD_BUCKET],
    transcripts: values[Env.TRANSCRIPTS] === 'on',
    /** Secret name as the agent knows it → ARN. */
    secrets: values[Env.SECRETS],
    queues: values[Env.QUEUES],
    deadLetterQueues: values[Env.DEAD_LETTER_QUEUES],
    /** Undefined: the service has no webhooks. */
    webhookQueue: values[Env.WEBHOOK_QUEUE],
    /** Days that finished tasks, and sessions after their last write, are kept. */
    retentionDays: values[Env.TASK_RETENTION_DAYS],
    maxAttempts: values[Env.MAX_ATTEMPTS],
    /** Undefined: not limited. */
    maxInFlightPerUser: values[Env.MAX_IN_FLIGHT_PER_USER],
    /** Undefined: the providers' limits are not kept. */
    rateLimits: values[Env.RATE_LIMITS],
    /** Undefined: no budgets beyond that of a task. */
    budgets: values[Env.BUDGETS],
    maxReceives: values[Env.MAX_RECEIVES],
    /** Undefined: the service has no flags. */
    flags: values[Env.FLAGS],
    timeoutSeconds: values[Env.WORKER_TIMEOUT_SECONDS],
  }));
export type WorkerSettings = z.infer<typeof workerSettingsSchema>;

/** @throws SettingsError naming every setting that is missing or wrong */
export function readWorkerSettings(environment?: NodeJS.ProcessEnv): WorkerSettings {
  return readSettings(workerSettingsSchema, environment);
}
