import type { Schema, SchemaIssue, Validated } from './schema';

/** Prefix of the library's own environment variables, which are not settings of an agent. */
const LIBRARY_PREFIX = 'AGENT_LANES_';

/** Shorter values are not hidden: they reveal nothing and occur by chance in any sentence. In characters. */
const MIN_HIDDEN_LENGTH = 3;

/**
 * Validates the agent's settings in the environment. The message is one line that names every missing or malformed setting and
 * what is accepted. It never contains a value, even if a message of the schema does.
 */
export async function validateAgentSettings<S>(
  schema: Schema<S>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Validated<S>> {
  const values = Object.fromEntries(
    Object.entries(environment).filter(([name, value]) => value !== undefined && !name.startsWith(LIBRARY_PREFIX)),
  );
  const result = await schema['~standard'].validate(values);
  if (result.issues === undefined) {
    return { ok: true, value: result.value };
  }
  const problems = new Set(result.issues.map((issue) => describeIssue(issue, values)));
  return {
    ok: false,
    message: `settings of the agent: ${[...problems].join('; ')} (expected in the environment of the worker: see settings of defineAgent and environment of WorkerSpec.lambda)`,
  };
}

function describeIssue({ path, message }: SchemaIssue, values: Readonly<Record<string, string | undefined>>): string {
  const [name, ...inner] = (path ?? []).map((step) => String(typeof step === 'object' ? step.key : step));
  if (name === undefined) {
    return line(Object.values(values).reduce<string>(hide, message));
  }
  const value = values[name];
  return line(
    value === undefined
      ? `${name} is missing: ${message}`
      : `${[name, ...inner].join('.')} is malformed: ${hide(message, value)}`,
  );
}

function hide(message: string, value: string | undefined): string {
  return value === undefined || value.length < MIN_HIDDEN_LENGTH ? message : message.replaceAll(value, '…');
}

function line(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
