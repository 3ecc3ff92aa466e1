import * as z from 'zod';
import { Env, RELEASE_ID_PATTERN } from '../../lib/contract';
import { readSettings, setting } from '../common/settings';

const workerSettingsSchema = z
  .object({
    [Env.AGENT]: setting.text,
    [Env.RELEASE]: z.string().regex(RELEASE_ID_PATTERN, 'must be a release id, r- and 12 hexadecimal digits'),
    [Env.TASKS_TABLE]: setting.text,
    [Env.SESSIONS_TABLE]: setting.text,
    [Env.BEHAVIOR_BUCKET]: setting.text,
    [Env.BEHAVIOR_KEY]: setting.text,
    [Env.SECRETS]: setting.json(z.record(z.string(), z.string().min(1))),
    [Env.TASK_RETENTION_DAYS]: setting.count,
    [Env.MAX_RECEIVES]: setting.count,
    [Env.WORKER_TIMEOUT_SECONDS]: setting.count,
  })
  .transform((values) => ({
    agent: values[Env.AGENT],
    release: values[Env.RELEASE],
    tasksTable: values[Env.TASKS_TABLE],
    sessionsTable: values[Env.SESSIONS_TABLE],
    behaviorBucket: values[Env.BEHAVIOR_BUCKET],
    behaviorKey: values[Env.BEHAVIOR_KEY],
    /** Secret name as the agent knows it → ARN. */
    secrets: values[Env.SECRETS],
    /** Days that finished tasks, and sessions after their last write, are kept. */
    retentionDays: values[Env.TASK_RETENTION_DAYS],
    maxReceives: values[Env.MAX_RECEIVES],
    timeoutSeconds: values[Env.WORKER_TIMEOUT_SECONDS],
  }));
export type WorkerSettings = z.infer<typeof workerSettingsSchema>;

/** @throws SettingsError naming every setting that is missing or wrong */
export function readWorkerSettings(environment?: NodeJS.ProcessEnv): WorkerSettings {
  return readSettings(workerSettingsSchema, environment);
}
