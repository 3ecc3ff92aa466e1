import { z } from 'zod';
import { Env, type EnvName, LANES, PRIORITIES, RELEASE_ID_PATTERN } from '../../lib/contract';

/** One environment variable: its name and how its text is read. */
export interface Setting<T> {
  readonly name: EnvName;
  readonly schema: z.ZodType<T>;
}

/** A setting is missing or malformed. The message is one line that names the setting. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** URLs of the lanes' work queues; see `Env.QUEUES`. */
export const queueUrlsSchema = z.record(z.enum(LANES), z.record(z.enum(PRIORITIES), z.url()));
export type QueueUrls = z.infer<typeof queueUrlsSchema>;

const text = z.string().min(1, 'expected a text that is not empty');
const count = z
  .string()
  .regex(/^\d+$/, 'expected a whole number')
  .transform((digits) => Number(digits));
const positive = count.refine((value) => value > 0, 'expected a whole number above 0');

/** The settings that functions know. Each function reads those it needs with {@link readSettings}. */
export const Settings = {
  AGENT: { name: Env.AGENT, schema: text },
  RELEASE: { name: Env.RELEASE, schema: z.string().regex(RELEASE_ID_PATTERN, 'expected r- and 12 hexadecimal digits') },
  WORKER_VERSION: { name: Env.WORKER_VERSION, schema: text },
  TASKS_TABLE: { name: Env.TASKS_TABLE, schema: text },
  SESSIONS_TABLE: { name: Env.SESSIONS_TABLE, schema: text },
  CONTROL_TABLE: { name: Env.CONTROL_TABLE, schema: text },
  QUEUES: { name: Env.QUEUES, schema: json(queueUrlsSchema) },
  BEHAVIOR_BUCKET: { name: Env.BEHAVIOR_BUCKET, schema: text },
  BEHAVIOR_KEY: { name: Env.BEHAVIOR_KEY, schema: text },
  SECRETS: { name: Env.SECRETS, schema: json(z.record(z.string(), z.string())) },
  AUTH: { name: Env.AUTH, schema: z.enum(['iam', 'jwt'], 'expected iam or jwt') },
  TASK_RETENTION_DAYS: { name: Env.TASK_RETENTION_DAYS, schema: positive },
  MAX_RECEIVES: { name: Env.MAX_RECEIVES, schema: positive },
  WORKER_TIMEOUT_SECONDS: { name: Env.WORKER_TIMEOUT_SECONDS, schema: positive },
  EVIDENCE_MIN_TASKS: { name: Env.EVIDENCE_MIN_TASKS, schema: count },
  EVIDENCE_WAIT_SECONDS: { name: Env.EVIDENCE_WAIT_SECONDS, schema: count },
  PREFLIGHT_TIMEOUT_SECONDS: { name: Env.PREFLIGHT_TIMEOUT_SECONDS, schema: positive },
} as const satisfies Record<string, Setting<unknown>>;

/** What {@link readSettings} gives for a choice of settings. */
export type SettingValues<T extends Readonly<Record<string, Setting<unknown>>>> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never;
};

/**
 * Reads and checks the chosen settings.
 *
 *     const { agent, queues } = readSettings({ agent: Settings.AGENT, queues: Settings.QUEUES });
 *
 * @param environment @default process.env
 * @throws SettingsError naming the first setting that is missing or malformed
 */
export function readSettings<T extends Readonly<Record<string, Setting<unknown>>>>(
  wanted: T,
  environment: NodeJS.ProcessEnv = process.env,
): SettingValues<T> {
  const values = Object.entries(wanted).map(([key, setting]) => [key, readSetting(setting, environment)] as const);
  return Object.fromEntries(values) as SettingValues<T>;
}

function readSetting<T>({ name, schema }: Setting<T>, environment: NodeJS.ProcessEnv): T {
  const value = environment[name];
  if (value === undefined) {
    throw new SettingsError(`environment variable ${name} is not set; the stack sets it, so deploy the stack again`);
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    const place = issue && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : '';
    throw new SettingsError(`environment variable ${name} is ${shorten(value)}${place}: ${oneLine(issue?.message)}`);
  }
  return result.data;
}

/** A setting whose text is JSON of the given shape. */
function json<T>(schema: z.ZodType<T>): z.ZodType<T> {
  return z
    .string()
    .transform((value, context): unknown => {
      try {
        return JSON.parse(value);
      } catch {
        context.addIssue({ code: 'custom', message: 'expected JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

/** Values may be long, and none of them is a secret: names, URLs and ARNs. */
function shorten(value: string): string {
  const quoted = JSON.stringify(value);
  return quoted.length > 80 ? `${quoted.slice(0, 77)}…"` : quoted;
}

function oneLine(message = 'not valid'): string {
  return message.replaceAll(/\s+/g, ' ');
}
