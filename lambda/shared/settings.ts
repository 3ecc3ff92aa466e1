import * as z from 'zod';
import { LANES, PRIORITIES } from '../../lib/contract';

/** Building blocks for the settings that functions read from their environment. */
export const setting = {
  /** A string that is not empty. */
  text: z.string().min(1, 'must not be empty'),
  /** A positive integer, written in decimal digits. */
  count: z
    .string()
    .regex(/^[1-9]\d*$/, 'must be a positive integer')
    .transform(Number),
  /** An integer of 0 or more, written in decimal digits. */
  countOrZero: z.string().regex(/^\d+$/, 'must be an integer of 0 or more').transform(Number),
  /** JSON text that holds what the schema says. */
  json: <T extends z.ZodType>(schema: T) =>
    z
      .string()
      .transform((text, context): unknown => {
        try {
          return JSON.parse(text);
        } catch {
          context.addIssue({ code: 'custom', message: 'must be JSON' });
          return z.NEVER;
        }
      })
      .pipe(schema),
} as const;

/** URLs of the lanes' work queues; see `Env.QUEUES`. */
export const queueUrlsSchema = z.record(z.enum(LANES), z.record(z.enum(PRIORITIES), z.url()));
export type QueueUrls = z.infer<typeof queueUrlsSchema>;

/** A setting is missing or malformed: the function cannot run until its environment is corrected. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * Reads a function's settings from its environment.
 *
 * @param schema an object schema whose keys are names from `Env`
 * @throws SettingsError one line that names every setting that is missing or wrong; values are not repeated
 */
export function readSettings<T>(schema: z.ZodType<T>, environment: NodeJS.ProcessEnv = process.env): T {
  const parsed = schema.safeParse(environment);
  if (parsed.success) {
    return parsed.data;
  }
  const problems = parsed.error.issues.map(({ path, message }) => {
    const [name, ...rest] = path.map(String);
    if (name !== undefined && environment[name] === undefined) {
      return `${name} is missing`;
    }
    return `${name ?? 'environment'}${rest.map((part) => `.${part}`).join('')}: ${message}`;
  });
  throw new SettingsError(
    `environment settings: ${[...new Set(problems)].join('; ')} (set by the constructs of cdk-agent-lanes; see lib/contract/environment.ts)`,
  );
}
