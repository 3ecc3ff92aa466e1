import {
  type BehaviorDocument,
  type ProbeCheck,
  type ProbeResult,
  RuntimeErrorCode,
  type Usage,
} from '../../../lib/contract';
import { type AgentDefinition, type AgentLogger, defineAgent, type TaskInfo } from '../../runtime/agent';
import type { AttemptEnvironment } from '../../runtime/context';
import { dispositionOf, FatalError, RetryableError } from '../../runtime/errors';
import { addUsage, NO_USAGE } from '../../runtime/limits/usage';
import { type Clock, stopwatch } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { TraceContext } from '../../shared/telemetry/tracing';
import { type AttemptOutcome, runAttempt } from './run-attempt';

/**
 * A broken connection, a throttled table or a provider's limit can affect a probe like any task and says nothing about the
 * release. Checks that fail with a retryable error are repeated, with a pause in milliseconds of the cloud's time.
 */
const MAX_TRIES = 3;
const PAUSE_MS = 5_000;

/** Enough for a one-word answer. */
const PING_MAX_TOKENS = 16;

export interface ProbeOptions {
  readonly task: TaskInfo;
  readonly logger: AgentLogger;
  readonly clock: Clock;
  /** Real milliseconds until Lambda ends the function. */
  readonly remainingMs: number;
  /** Parent of the probe's trace segments. */
  readonly trace?: TraceContext | undefined;
}

export interface ProbeReport {
  readonly result: ProbeResult;
  readonly usage: Usage;
  /** Names and reasons of the checks that failed; undefined if none did. */
  readonly problem: string | undefined;
}

/**
 * The deep health check of a release, run by one of its workers like any task: behavior readable, settings valid, secrets
 * readable, session store readable and writable, and the agent's own probe (or, without one, a call of its model).
 *
 * All checks run, so that one probe reports every problem; without a behavior document no other check is possible. A check
 * fails at its first error that is not retryable, or at its last try.
 */
export async function runProbe<I, O>(
  agent: AgentDefinition<I, O>,
  load: () => Promise<AttemptEnvironment>,
  { task, logger, clock, remainingMs, trace }: ProbeOptions,
): Promise<ProbeReport> {
  const checks: ProbeCheck[] = [];
  const sinceStart = stopwatch();
  const hasTimeFor = (ms: number): boolean => remainingMs - sinceStart() > ms;
  const withRetries = async (name: string, check: () => Promise<void>): Promise<void> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await check();
      } catch (error) {
        if (!isRetryable(error) || tries === MAX_TRIES || !hasTimeFor(PAUSE_MS)) {
          throw error;
        }
        logger.warn('probe check failed; retrying', { component: 'probe', check: name, reason: messageOf(error) });
        await clock.sleep(PAUSE_MS);
      }
    }
  };
  const record = async (name: string, check: () => Promise<void>): Promise<void> => {
    const elapsed = stopwatch();
    const message = await withRetries(name, check).then(
      () => undefined,
      (error: unknown) => messageOf(error),
    );
    const durationMs = Math.round(elapsed());
    checks.push({ name, ok: message === undefined, durationMs, message });
    logger.info('probe check', {
      component: 'probe',
      check: name,
      outcome: message === undefined ? 'ok' : 'error',
      durationMs,
      reason: message,
    });
  };

  let environment: AttemptEnvironment | undefined;
  let usage = NO_USAGE;
  await record('behavior', async () => {
    environment = await load();
  });
  if (environment !== undefined) {
    const { secrets, behavior, settings } = environment;
    const loaded = environment;
    if (agent.settings !== undefined) {
      await record('settings', async () => requireValidSettings(settings));
    }
    // An agent without valid settings fails in any case: its model is called instead, to find further problems.
    const probedAgent = settings?.ok === false ? modelOnly(agent) : agent;
    const keys = [behavior.model, ...behavior.fallbacks].flatMap(({ secret }) =>
      secret === undefined ? [] : [secret],
    );
    for (const name of new Set([...secrets.names, ...keys])) {
      await record(`secret:${name}`, async () => {
        await secrets.get(name);
      });
    }
    await record('sessions', () => checkSessions(loaded, task));
    await record(probedAgent.probe === undefined ? 'model' : 'agent', async () => {
      const outcome = await checkAgent(probedAgent, loaded, {
        task,
        logger,
        clock,
        trace,
        remainingMs: remainingMs - sinceStart(),
      });
      usage = addUsage(usage, outcome.usage);
      if (outcome.kind !== 'succeeded') {
        throw failureOf(outcome);
      }
    });
  }

  const failed = checks.filter(({ ok }) => !ok);
  return {
    result: { release: task.release, checks },
    usage,
    problem: failed.length === 0 ? undefined : failed.map(({ name, message }) => `${name}: ${message}`).join('; '),
  };
}

function isRetryable(error: unknown): boolean {
  return ['retry', 'wait'].includes(dispositionOf(error));
}

function failureOf({ kind, error }: Exclude<AttemptOutcome, { kind: 'succeeded' }>): Error {
  const message = `${error.code}: ${error.message}`;
  return kind === 'retry' || kind === 'wait' ? new RetryableError(message) : new FatalError(message);
}

function requireValidSettings(settings: AttemptEnvironment['settings']): void {
  if (settings?.ok === false) {
    throw new FatalError(settings.message, { code: RuntimeErrorCode.SETTINGS });
  }
}

function modelOnly<I, O>(agent: AgentDefinition<I, O>): AgentDefinition<I, O> {
  const { probe: _, ...rest } = agent;
  return rest;
}

/** Writes and reads a session of the probe's own. It expires on its own: workers have no permission to delete it. */
async function checkSessions({ sessions }: AttemptEnvironment, task: TaskInfo): Promise<void> {
  const name = probeSession(task);
  const { signal } = new AbortController();
  const session = sessions.open(name, signal);
  await session.get();
  await session.put({ probe: task.id });
  const stored = await sessions.open(name, signal).get();
  if (JSON.stringify(stored) !== JSON.stringify({ probe: task.id })) {
    throw new FatalError(`session ${JSON.stringify(name)} was written, but returned ${JSON.stringify(stored)}`);
  }
}

function checkAgent<I, O>(
  agent: AgentDefinition<I, O>,
  environment: AttemptEnvironment,
  { task, ...rest }: ProbeOptions,
): Promise<AttemptOutcome> {
  if (agent.probe === undefined) {
    return runAttempt(pingAgent(environment.behavior), environment, { task, input: null, ...rest });
  }
  const { input, check } = agent.probe;
  const checkedAgent: AgentDefinition<I, O> = {
    ...agent,
    run: async (probeTask, context) => {
      const result = await agent.run(probeTask, context);
      const problem = check?.(result);
      if (problem !== undefined) {
        throw new FatalError(problem, { code: RuntimeErrorCode.PROBE_CHECK });
      }
      return result;
    },
  };
  // A separate session: the agent could not read the state that the session check wrote.
  const session = `${probeSession(task)}#agent`;
  return runAttempt(checkedAgent, environment, {
    task: { ...task, session },
    input: JSON.parse(JSON.stringify(input)),
    ...rest,
  });
}

/** For agents without a probe: checks that the model answers. */
function pingAgent(behavior: BehaviorDocument): AgentDefinition<unknown, string> {
  return defineAgent({
    input: { '~standard': { validate: (value: unknown) => ({ value }) } },
    run: async (_, ctx) => {
      const { stopReason } = await ctx.model.generate({
        prompt: 'Answer with the one word: ready',
        maxTokens: Math.min(PING_MAX_TOKENS, behavior.model.maxTokens),
      });
      return stopReason;
    },
  });
}

function probeSession(task: TaskInfo): string {
  return `probe#${task.id}`;
}
