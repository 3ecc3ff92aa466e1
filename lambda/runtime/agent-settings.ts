import type { Schema, SchemaIssue, Validated } from './schema';

/** Environment variables that are the library's, and no settings of an agent. */
const LIBRARY_PREFIX = 'AGENT_LANES_';

/** Shorter values say nothing, and stand in any sentence by chance. */
const MIN_HIDDEN = 3;

/**
 * Checks what an agent wants to find in its environment. The message is one line that names every setting that is missing
 * or malformed, and what was expected; values are not repeated, whatever the schema's own messages hold.
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
  return value === undefined || value.length < MIN_HIDDEN ? message : message.replaceAll(value, '…');
}

function line(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
