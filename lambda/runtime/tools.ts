import * as z from 'zod';
import type { BehaviorDocument } from '../../lib/contract';
import { stopwatch } from '../common/clock';
import type { AgentLogger, ToolCall } from './agent';
import { FatalError, messageOf } from './errors';
import type { TaskMeter } from './meter';
import { check } from './schema';
import { untilAborted } from './until-aborted';

/** Compiled input schemas of the release's tools. */
export type ToolSchemas = ReadonlyMap<string, z.ZodType>;

/**
 * Compiles the JSON schemas of a release's tools.
 *
 * @throws FatalError naming the tool whose schema is not a JSON schema that can be checked
 */
export function compileToolSchemas(tools: BehaviorDocument['tools']): ToolSchemas {
  return new Map(
    Object.entries(tools).map(([name, schema]) => {
      try {
        return [name, z.fromJSONSchema(schema)];
      } catch (error) {
        throw new FatalError(`the input schema of tool "${name}" cannot be used: ${messageOf(error)}`, {
          code: 'tool_schema',
        });
      }
    }),
  );
}

export interface ToolParts {
  readonly schemas: ToolSchemas;
  readonly meter: TaskMeter;
  readonly logger: AgentLogger;
  readonly signal: AbortSignal;
}

/** Runs one tool: checked, counted, timed, logged, and left behind when the task must end. */
export async function callTool<I, O>(
  { schemas, meter, logger, signal }: ToolParts,
  name: string,
  input: I,
  run: (input: I, call: ToolCall) => O | Promise<O>,
): Promise<O> {
  signal.throwIfAborted();
  const schema = schemas.get(name);
  if (schema === undefined) {
    const known = [...schemas.keys()].map((each) => `"${each}"`).join(', ') || 'none';
    throw new FatalError(
      `the release has no tool "${name}"; it has ${known}. Add tools/${name}.json with the JSON schema of its input to the behaviour`,
      { code: 'tool_unknown' },
    );
  }
  meter.countToolCall(name);
  const checked = await check(schema, input, `${name}.input`);
  if (!checked.ok) {
    throw new FatalError(`tool "${name}" was called with a wrong input: ${checked.message}`, { code: 'tool_input' });
  }
  const elapsed = stopwatch();
  const done = (outcome: 'ok' | 'error', reason?: string) => ({
    component: 'tool',
    tool: name,
    outcome,
    durationMs: Math.round(elapsed()),
    ...(reason === undefined ? {} : { reason }),
  });
  try {
    const result = await untilAborted(async () => run(input, { signal }), signal);
    logger.info('tool answered', done('ok'));
    return result;
  } catch (error) {
    logger.warn('tool failed', done('error', messageOf(error)));
    throw error;
  }
}
