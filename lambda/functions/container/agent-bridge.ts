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

/** Accepts every input: the agent's container validates it. */
const anyInput: Schema<JsonValue> = { '~standard': { validate: (value) => ({ value: (value ?? null) as JsonValue }) } };

export interface AgentBridgeDeps {
  readonly client: AgentClient;
  readonly sessions: AttemptSessions;
  /** Port of the worker's local server. */
  readonly workerPort: number;
  readonly clock: Clock;
  /** Called when the agent could not be reached or a call to it broke, before the task ends. */
  readonly onUnreachable: (message: string) => void;
}

/**
 * Presents an agent in a container of its own as an agent of this process: its `run` sends the task to the container and waits
 * for the response. Claims, leases, limits, retries and metrics stay with the worker, as for every agent.
 */
export class AgentBridge {
  readonly #deps: AgentBridgeDeps;
  /** When running tasks are requeued, in the cloud's time. Undefined: the worker is not stopping. */
  #stopsAt: number | undefined;

  constructor(deps: AgentBridgeDeps) {
    this.#deps = deps;
  }

  /** @param description the agent's description in its health response */
  definition({ probe, redact = [] }: AgentHealth): AgentDefinition<JsonValue, JsonValue> {
    const patterns = redact.map(({ pattern, replacement = '***' }) => ({
      pattern: new RegExp(pattern, 'gu'),
      replacement,
    }));
    return defineAgent<JsonValue, JsonValue>({
      input: anyInput,
      ...(probe === undefined ? {} : { probe: { input: probe.input } }),
      redact: (text) =>
        patterns.reduce((redacted, { pattern, replacement }) => redacted.replaceAll(pattern, replacement), text),
      run: (task, context) => {
        if (!(context instanceof TaskContext)) {
          throw new TypeError('the bridge requires the context of a worker of this library');
        }
        return this.#run(task, context);
      },
    });
  }

  /**
   * Asks the agent to finish or checkpoint every running task.
   *
   * @param milliseconds until the tasks are requeued, in the cloud's time
   */
  async checkpoint(milliseconds: number): Promise<void> {
    const { client, clock, sessions } = this.#deps;
    this.#stopsAt = clock.now() + milliseconds;
    await Promise.all(
      sessions.all().map((session) => {
        session.announceCheckpoint('worker_stopping', () => this.#secondsLeft());
        const { task } = session.state();
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
    const session = new AttemptSession(context);
    const cancel = () => void this.#cancel(session, signal.reason);
    signal.addEventListener('abort', cancel, { once: true });
    sessions.open(session);
    try {
      const answer = await client.run(requestOf(task, session, workerPort), signal);
      if ('error' in answer) {
        throw fromProtocolError(answer.error);
      }
      if ('result' in answer) {
        return answer.result;
      }
      throw this.#stopsAt === undefined
        ? new RetryableError('the agent answered with a checkpoint that was not requested', {
            code: AgentProtocolErrorCode.AGENT_PROTOCOL,
          })
        : new TaskRequeuedError('worker_stopping');
    } catch (error) {
      if (!isAgentError(error)) {
        context.logger.error('the agent could not be called', {
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
      sessions.close(session);
    }
  }

  async #cancel(session: AttemptSession, reason: unknown): Promise<void> {
    const { task } = session.state();
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
  session: AttemptSession,
  port: number,
): RunRequest {
  return {
    protocol: AGENT_PROTOCOL_VERSION,
    task: { ...task, createdAt: new Date(createdAt).toISOString() },
    input,
    // By address: the server does not listen on ::1, which some clients try for localhost.
    worker: { url: `http://127.0.0.1:${port}${TASKS_PATH}/${task.id}`, token: session.token },
  };
}
