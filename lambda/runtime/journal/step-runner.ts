import { AsyncLocalStorage } from 'node:async_hooks';
import { RuntimeErrorCode, sha256, type Usage } from '../../../lib/contract';
import { raceAbort, throwIfAborted } from '../../shared/abort-signals';
import { stopwatch } from '../../shared/clock';
import type { AgentLogger, StepCall } from '../agent';
import { FatalError } from '../errors';
import type { UsageMeter } from '../limits/usage-meter';
import { toJsonText } from './step-json';
import { StepKeys } from './step-keys';
import type { Step, TaskJournal } from './task-journal';

export interface StepRunnerDeps {
  readonly taskId: string;
  readonly attempt: number;
  readonly release: string;
  /** Absent: every step runs, and nothing is recorded. */
  readonly journal: TaskJournal | undefined;
  readonly meter: UsageMeter;
  readonly logger: AgentLogger;
  /** Aborted when the journal fails: the agent must not continue without it, even if it catches the error. */
  readonly controller: AbortController;
}

/** The step that encloses the running code. */
interface Enclosing {
  readonly steps: StepRunner;
  readonly key: string;
}

/**
 * One for all tasks. Up to Node.js 22 each storage that was ever used slows down every asynchronous operation of the process
 * permanently: with one per task a warm worker would become slower with each task.
 */
const enclosing = new AsyncLocalStorage<Enclosing>();

export interface Executed<T> {
  readonly value: T;
  readonly usage?: Usage;
  /** Model that answered. */
  readonly model?: string;
}

/**
 * Runs each step, tool call and model call once per task: replays what the journal holds, runs and records the rest. Steps may
 * run concurrently and may be nested.
 */
export class StepRunner {
  readonly #keys: StepKeys;
  readonly #deps: StepRunnerDeps;

  constructor(deps: StepRunnerDeps) {
    this.#deps = deps;
    this.#keys = new StepKeys(deps.journal);
  }

  /** Key of a step that the agent names. @throws FatalError (`step_name`), which ends the attempt */
  keyOfName(name: string): string {
    try {
      return this.#keys.keyOfName(name);
    } catch (error) {
      throw this.#abortWith(error);
    }
  }

  /** Key of a call that is identified by its content. */
  nextNumberedKey(prefix: string): string {
    return this.#keys.nextNumberedKey(prefix);
  }

  /** @param step its key must come from {@link keyOfName} or {@link nextNumberedKey} */
  async run<T>(step: Omit<Step, 'parent'>, execute: (call: StepCall) => Promise<Executed<T>>): Promise<T> {
    try {
      return await this.#run({ ...step, parent: this.#enclosingKey() }, execute);
    } catch (error) {
      this.#keys.release(step.key);
      throw error;
    }
  }

  async #run<T>(step: Step, execute: (call: StepCall) => Promise<Executed<T>>): Promise<T> {
    const { journal, meter, attempt, controller } = this.#deps;
    const { signal } = controller;
    await throwIfAborted(signal);
    const replay = await this.#withJournal(() => journal?.replay(step));
    if (replay !== undefined) {
      return this.#useReplay(step, replay);
    }
    meter.countStep(step.key);
    const begunStep = await this.#withJournal(() => journal?.begin(step));
    if (begunStep !== undefined && 'entry' in begunStep) {
      return this.#useReplay(step, begunStep);
    }
    await throwIfAborted(signal);
    const elapsed = stopwatch();
    this.#log('step begun', step, { outcome: 'begun' });
    // A process is paused mostly at writes, such as the log line above, and another worker may run the step in that time. So the
    // lease is checked here, with no write and no wait before the step starts.
    await this.#withJournal(async () => begunStep && journal?.requireLease(begunStep));
    const call = { signal, idempotencyKey: sha256(`${this.#deps.taskId}\n${step.key}`) };
    const done = await enclosing.run({ steps: this, key: step.key }, () => raceAbort(() => execute(call), signal));
    const value =
      journal === undefined || begunStep === undefined
        ? roundTrip(done.value, step.key)
        : await this.#withJournal(() => journal.finish(begunStep, done));
    this.#log('step finished', step, { outcome: 'finished', attempt, durationMs: Math.round(elapsed()) });
    return value as T;
  }

  /** Key of the step that encloses the running code, if it is of this task. */
  #enclosingKey(): string | undefined {
    const around = enclosing.getStore();
    return around?.steps === this ? around.key : undefined;
  }

  #useReplay<T>(step: Step, { value, entry }: { value: unknown; entry: FormerEntry }): T {
    const { release } = this.#deps;
    if (step.inputDigest !== undefined && entry.inputDigest !== undefined && step.inputDigest !== entry.inputDigest) {
      throw this.#abortWith(
        new FatalError(
          `step ${JSON.stringify(step.name)} was finished by ${entry.release === release ? 'this release' : `release ${entry.release}`} (attempt ${entry.attempt}) with another input than release ${release} gives it now; give a step that does something else a name of its own, and one whose input varies from run to run (a time, a random number) that input from a step before it`,
          { code: RuntimeErrorCode.JOURNAL_MISMATCH },
        ),
      );
    }
    this.#log('step replayed', step, { outcome: 'replayed', finishedBy: entry.attempt });
    return value as T;
  }

  /** Runs a call of the journal. If it fails, the attempt ends. */
  async #withJournal<T>(call: () => Promise<T> | undefined): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      throw this.#abortWith(error);
    }
  }

  #abortWith(error: unknown): unknown {
    this.#deps.controller.abort(error);
    return error;
  }

  #log(message: string, { key }: Step, fields: Record<string, unknown>): void {
    const { journal, logger, attempt } = this.#deps;
    if (journal !== undefined) {
      logger.info(message, { component: 'journal', step: key, attempt, ...fields });
    }
  }
}

type FormerEntry = NonNullable<Awaited<ReturnType<TaskJournal['replay']>>>['entry'];

function roundTrip(value: unknown, key: string): unknown {
  const text = toJsonText(value, key);
  return text === undefined ? undefined : JSON.parse(text);
}
