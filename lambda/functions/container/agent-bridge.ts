import { AgentProtocolErrorCode, TASKS_PATH, TaskErrorCode } from '../../../lib/contract';
import { AGENT_PROTOCOL_VERSION, type AgentHealth, type RunRequest } from '../../../lib/contract/agent-protocol';
import { type AgentDefinition, type AgentTask, defineAgent } from '../../runtime/agent';
import { TaskContext } from '../../runtime/context';
import { FatalError, isAgentError, RetryableError, TaskRequeuedError } from '../../runtime/errors';
import type { Schema } from '../../runtime/schema';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { AgentClient } from './agent-client';
import { AttemptSession, type AttemptSessions } from './attempt-session';
import { fromProtocolError } from './protocol-errors';

type JsonValue = RunRequest['input'];

/** Whatever the caller sent: the agent's container checks it. */
const anything: Schema<JsonValue> = { '~standard': { validate: (value) => ({ value: (value ?? null) as JsonValue }) } };

export interface AgentBridgeDeps {
  readonly client: AgentClient;
  readonly sessions: AttemptSessions;
  /** Where the worker answers on localhost. */
  readonly workerPort: number;
  readonly clock: Clock;
  /** Called when the agent was not reached, or a call to it broke off, before its task ends. */
  readonly onUnreachable: (message: string) => void;
}

/**
 * An agent in a container of its own, as an agent of this process: its `run` hands the task over and waits. So claims,
 * leases, limits, retries and metrics are the worker's, as for every agent.
 */
export class AgentBridge {
  readonly #deps: AgentBridgeDeps;
  /** When the worker has to be gone, in the cloud's time. Undefined: it was not told to stop. */
  #stopsAt: number | undefined;

  constructor(deps: AgentBridgeDeps) {
    this.#deps = deps;
  }

  /** @param description what the agent says of itself in its health */
  definition({ probe, redact = [] }: AgentHealth): AgentDefinition<JsonValue, JsonValue> {
    const patterns = redact.map(({ pattern, replacement = '***' }) => ({
      pattern: new RegExp(pattern, 'gu'),
      replacement,
    }));
    return defineAgent<JsonValue, JsonValue>({
      input: anything,
      ...(probe === undefined ? {} : { probe: { input: probe.input } }),
      redact: (text) =>
        patterns.reduce((redacted, { pattern, replacement }) => redacted.replaceAll(pattern, replacement), text),
      run: (task, context) => {
        if (!(context instanceof TaskContext)) {
          throw new TypeError('the bridge runs in the worker of this library alone');
        }
        return this.#run(task, context);
      },
    });
  }

  /**
   * Tells every agent at work that it may finish or get to a checkpoint.
   *
   * @param milliseconds until its attempt ends, in the cloud's time
   */
  async checkpoint(milliseconds: number): Promise<void> {
    const { client, clock, sessions } = this.#deps;
    this.#stopsAt = clock.now() + milliseconds;
    await Promise.all(
      sessions.all().map((door) => {
        door.announceCheckpoint('worker_stopping', () => this.#secondsLeft());
        const { task } = door.state();
        const secondsLeft = this.#secondsLeft();
        return client.checkpoint({ protocol: AGENT_PROTOCOL_VERSION, task, reason: 'worker_stopping', secondsLeft });
      }),
    );
  }

  async #run(task: AgentTask<JsonValue>, context: TaskContext): Promise<JsonValue> {
    const { client, sessions, workerPort, onUnreachable } = this.#deps;
    const { signal } = context;
    if (this.#stopsAt !== undefined) {
      throw new TaskRequeuedError('worker_stopping');
    }
    const door = new AttemptSession(context);
    const cancel = () => void this.#cancel(door, signal.reason);
    signal.addEventListener('abort', cancel, { once: true });
    sessions.open(door);
    try {
      const answer = await client.run(requestOf(task, door, workerPort), signal);
      if ('error' in answer) {
        throw fromProtocolError(answer.error);
      }
      if ('result' in answer) {
        return answer.result;
      }
      throw this.#stopsAt === undefined
        ? new RetryableError('the agent answered that it is at a checkpoint, and had not been asked for one', {
            code: AgentProtocolErrorCode.AGENT_PROTOCOL,
          })
        : new TaskRequeuedError('worker_stopping');
    } catch (error) {
      if (!isAgentError(error)) {
        context.logger.error('the agent could not be asked', {
          component: 'agent',
          outcome: 'error',
          reason: messageOf(error),
        });
        throw new FatalError(messageOf(error), { code: TaskErrorCode.WORKER_ERROR, cause: error });
      }
      if (error.code === AgentProtocolErrorCode.AGENT_UNREACHABLE) {
        onUnreachable(error.message);
      }
      throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
      sessions.close(door);
    }
  }

  async #cancel(door: AttemptSession, reason: unknown): Promise<void> {
    const { task } = door.state();
    await this.#deps.client.cancel({
      protocol: AGENT_PROTOCOL_VERSION,
      task,
      reason: isAgentError(reason) ? reason.code : AgentProtocolErrorCode.ENDED,
      message: messageOf(reason),
    });
  }

  #secondsLeft(): number {
    const left = (this.#stopsAt ?? 0) - this.#deps.clock.now();
    return Math.max(0, Math.round(left / 100) / 10);
  }
}

function requestOf(
  { input, createdAt, ...task }: AgentTask<JsonValue>,
  door: AttemptSession,
  port: number,
): RunRequest {
  return {
    protocol: AGENT_PROTOCOL_VERSION,
    task: { ...task, createdAt: new Date(createdAt).toISOString() },
    input,
    // By address: a client that tries ::1 alone for localhost would find nobody.
    worker: { url: `http://127.0.0.1:${port}${TASKS_PATH}/${task.id}`, token: door.token },
  };
}
