import * as z from 'zod';
import { type BehaviorDocument, JournalKeyPrefix, RuntimeErrorCode } from '../../lib/contract';
import { raceAbort, throwIfAborted } from '../shared/abort-signals';
import { stopwatch } from '../shared/clock';
import { messageOf } from '../shared/errors';
import { captureSubsegment, type TraceContext } from '../shared/telemetry/tracing';
import type { AgentLogger, ToolCall, ToolOptions } from './agent';
import { FatalError } from './errors';
import { digestOfInput } from './journal/step-input';
import { KEY_DIGITS } from './journal/step-keys';
import type { StepRunner } from './journal/step-runner';
import { NO_USAGE } from './limits/usage';
import type { UsageMeter } from './limits/usage-meter';
import { validate } from './schema';

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
          code: RuntimeErrorCode.TOOL_SCHEMA,
        });
      }
    }),
  );
}

export interface ToolCallDeps {
  readonly schemas: ToolSchemas;
  /** Names of the tools whose sandbox runs instead. */
  readonly sandboxed?: readonly string[] | undefined;
  readonly steps: StepRunner;
  readonly meter: UsageMeter;
  readonly logger: AgentLogger;
  readonly signal: AbortSignal;
  readonly trace?: TraceContext | undefined;
}

/** Runs one tool call: once per task, validated, counted, logged, traced, and abandoned when the attempt must end. */
export async function callTool<I, O>(
  { schemas, sandboxed = [], steps, meter, logger, signal, trace }: ToolCallDeps,
  name: string,
  input: I,
  live: (input: I, call: ToolCall) => O | Promise<O>,
  { sandbox }: ToolOptions<I, O> = {},
): Promise<O> {
  await throwIfAborted(signal);
  const schema = schemas.get(name);
  if (schema === undefined) {
    const known = [...schemas.keys()].map((each) => `"${each}"`).join(', ') || 'none';
    throw new FatalError(
      `the release has no tool "${name}"; it has ${known}. Add tools/${name}.json with the JSON schema of its input to the behavior, and its name to the tools that its environment allows`,
      { code: RuntimeErrorCode.TOOL_UNKNOWN },
    );
  }
  const isSandboxed = sandboxed.includes(name);
  const run = isSandboxed ? sandbox : live;
  if (run === undefined) {
    throw new FatalError(
      `tool "${name}" is sandboxed in this environment, and the agent provides no sandbox for it. Pass a sandbox as the last argument of ctx.tool, { sandbox: (input) => … }, or list the tool in the environment's live tools`,
      { code: RuntimeErrorCode.TOOL_SANDBOXED },
    );
  }
  const inputDigest = digestOfInput(`tool "${name}"`, input, RuntimeErrorCode.TOOL_INPUT);
  const key = steps.nextNumberedKey(`${JournalKeyPrefix.TOOL}${name}:${inputDigest.slice(0, KEY_DIGITS)}`);
  return steps.run<O>({ key, kind: 'tool', name, inputDigest }, async (call) => {
    meter.countToolCall(name);
    const checked = await validate(schema, input, `${name}.input`);
    if (!checked.ok) {
      throw new FatalError(`tool "${name}" was called with a wrong input: ${checked.message}`, {
        code: RuntimeErrorCode.TOOL_INPUT,
      });
    }
    const elapsed = stopwatch();
    const done = (outcome: 'ok' | 'error', reason?: string) => ({
      component: 'tool',
      tool: name,
      ...(isSandboxed ? { sandboxed: true } : {}),
      outcome,
      durationMs: Math.round(elapsed()),
      reason,
    });
    try {
      const answer = await captureSubsegment(trace, name, () => raceAbort(async () => run(input, call), signal), {
        annotations: { tool: name },
      });
      logger.info('tool answered', done('ok'));
      return { value: answer, usage: { ...NO_USAGE, toolCalls: 1 } };
    } catch (error) {
      logger.warn('tool failed', done('error', messageOf(error)));
      throw error;
    }
  });
}
