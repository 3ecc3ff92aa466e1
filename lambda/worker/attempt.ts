import { type Json, MAX_PAYLOAD_BYTES, type TaskError, type TaskRecord, type Usage } from '../../lib/contract';
import { afterReal } from '../common/clock';
import type { AgentDefinition, AgentLogger, TaskInfo } from '../runtime/agent';
import { type AgentEnvironment, TaskContext } from '../runtime/context';
import { dispositionOf, FatalError, isAgentError, messageOf, TimedOutError } from '../runtime/errors';
import { check } from '../runtime/schema';
import { untilAborted } from '../runtime/until-aborted';

/** How one attempt went. `retry`: the task should be tried again. */
export type Outcome =
  | { readonly kind: 'succeeded'; readonly result: Json; readonly usage: Usage; readonly score: number | undefined }
  | {
      readonly kind: 'failed' | 'timed_out' | 'retry';
      readonly error: TaskError;
      readonly usage: Usage;
      readonly score: number | undefined;
    };

export interface AttemptOptions {
  readonly task: TaskInfo;
  readonly input: TaskRecord['input'];
  readonly logger: AgentLogger;
  /** Real milliseconds until Lambda ends the function. */
  readonly remainingMs: number;
}

/** Kept back of the function's time to write the end of the task: a tenth of what remains, at most this. */
const LONGEST_RESERVE_MS = 3_000;

/**
 * Runs the agent on one task, once. Never throws: whatever the agent does becomes an outcome.
 *
 * When time or a limit is up the outcome is given at once. Code of the agent that does not listen to the signal may run
 * on until its environment is frozen; everything on its context is refused from then on.
 */
export async function attempt<I, O>(
  agent: AgentDefinition<I, O>,
  environment: AgentEnvironment,
  { task, input, logger, remainingMs }: AttemptOptions,
): Promise<Outcome> {
  const controller = new AbortController();
  const context = new TaskContext(environment, task, logger, controller);
  const { milliseconds, message } = timeLimit(environment.behavior.limits.maxDurationMs, remainingMs);
  const cancelTimer = afterReal(milliseconds, () => controller.abort(new TimedOutError(message)));
  const spent = () => ({ usage: context.usage(), score: context.quality });
  try {
    const checkedInput = await check(agent.input, input, 'input');
    if (!checkedInput.ok) {
      return { kind: 'failed', error: { code: 'invalid_input', message: checkedInput.message }, ...spent() };
    }
    // An exceeded limit aborts the signal and so ends the attempt here, whatever the agent makes of the error it is given.
    const answer = await untilAborted(
      async () => agent.run({ ...task, input: checkedInput.value }, context),
      context.signal,
    );
    return { kind: 'succeeded', result: await acceptResult(agent, answer), ...spent() };
  } catch (error) {
    const code = isAgentError(error) ? error.code : 'agent_error';
    const reason = { code, message: environment.secrets.redact(messageOf(error)) };
    if (!isAgentError(error)) {
      logger.error('the agent threw an error', {
        component: 'agent',
        outcome: 'error',
        error: describeError(error),
      });
    }
    switch (dispositionOf(error)) {
      case 'retry':
      case 'wait':
      case 'hand_back':
      case 'lose':
        return { kind: 'retry', error: reason, ...spent() };
      case 'time_out':
        return { kind: 'timed_out', error: reason, ...spent() };
      case 'cancel':
      case 'fail':
        return { kind: 'failed', error: reason, ...spent() };
    }
  } finally {
    cancelTimer();
    controller.abort(new FatalError('the task has ended', { code: 'ended' }));
  }
}

/** The release's limit, or the end of the function if that comes first. */
function timeLimit(maxDurationMs: number, remainingMs: number): { milliseconds: number; message: string } {
  const available = Math.max(0, remainingMs - Math.min(LONGEST_RESERVE_MS, remainingMs / 10));
  return maxDurationMs <= available
    ? {
        milliseconds: maxDurationMs,
        message: `the task ran longer than its release allows (maxDurationMs = ${maxDurationMs})`,
      }
    : {
        milliseconds: available,
        message: `the task ran until its worker had to end, after ${Math.round(available)} ms`,
      };
}

async function acceptResult<I, O>(agent: AgentDefinition<I, O>, answer: O): Promise<Json> {
  let result: unknown = answer;
  if (agent.output !== undefined) {
    const checked = await check(agent.output, answer, 'result');
    if (!checked.ok) {
      throw new FatalError(`the agent's result does not fit its output schema: ${checked.message}`, {
        code: 'invalid_output',
      });
    }
    result = checked.value;
  }
  let text: string;
  try {
    text = JSON.stringify(result) ?? 'null';
  } catch (error) {
    throw new FatalError(`the agent's result cannot be written as JSON: ${messageOf(error)}`, {
      code: 'invalid_output',
    });
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw new FatalError(`the agent's result is ${bytes} bytes of JSON, at most ${MAX_PAYLOAD_BYTES} are kept`, {
      code: 'result_too_large',
    });
  }
  return JSON.parse(text);
}

function describeError(error: unknown): Record<string, string> {
  return error instanceof Error
    ? { name: error.name, message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) }
    : { message: String(error) };
}
