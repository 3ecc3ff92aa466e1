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
  /** Absent: everything is done, and nothing is written. */
  readonly journal: TaskJournal | undefined;
  readonly meter: UsageMeter;
  readonly logger: AgentLogger;
  /** Aborted when the journal fails: an agent must not go on without it, whatever it makes of the error. */
  readonly controller: AbortController;
}

/** The step that the running code is part of. */
interface Enclosing {
  readonly steps: StepRunner;
  readonly key: string;
}

/**
 * One for all tasks. Up to Node.js 22 each storage that was ever used costs every asynchronous operation of the process,
 * for good: with one per task a worker that stays warm would become slower with each.
 */
const enclosing = new AsyncLocalStorage<Enclosing>();

export interface Executed<T> {
  readonly value: T;
  readonly usage?: Usage;
  /** Model that answered. */
  readonly model?: string;
}

/**
 * Does each thing that an agent asks for once per task: what the journal holds is given from there, the rest is run and
 * written. Any number may be under way at once, and one within another.
 */
export class StepRunner {
  readonly #keys: StepKeys;
  readonly #deps: StepRunnerDeps;

  constructor(deps: StepRunnerDeps) {
    this.#deps = deps;
    this.#keys = new StepKeys(deps.journal);
  }

  /** Key of what the agent names itself. @throws FatalError (`step_name`), which ends the attempt */
  keyOfName(name: string): string {
    try {
      return this.#keys.keyOfName(name);
    } catch (error) {
      throw this.#end(error);
    }
  }

  /** Key of what is known by its content. */
  nextNumberedKey(prefix: string): string {
    return this.#keys.nextNumberedKey(prefix);
  }

  /** @param step its key must come from {@link keyOfName} or {@link nextNumberedKey} */
  async run<T>(step: Omit<Step, 'parent'>, execute: (call: StepCall) => Promise<Executed<T>>): Promise<T> {
    try {
      return await this.#run({ ...step, parent: this.#within() }, execute);
    } catch (error) {
      this.#keys.release(step.key);
      throw error;
    }
  }

  async #run<T>(step: Step, execute: (call: StepCall) => Promise<Executed<T>>): Promise<T> {
    const { journal, meter, attempt, controller } = this.#deps;
    const { signal } = controller;
    await throwIfAborted(signal);
    const former = await this.#journaled(() => journal?.replay(step));
    if (former !== undefined) {
      return this.#replayed(step, former);
    }
    meter.countStep(step.key);
    const begun = await this.#journaled(() => journal?.begin(step));
    if (begun !== undefined && 'entry' in begun) {
      return this.#replayed(step, begun);
    }
    await throwIfAborted(signal);
    const elapsed = stopwatch();
    this.#log('step begun', step, { outcome: 'begun' });
    // A process is held up mostly where it writes, as it just did to the log, and goes on when another worker may have done the
    // step. From here on nothing is written, and nothing waited for, until the step is at work.
    await this.#journaled(async () => begun && journal?.requireLease(begun));
    const call = { signal, idempotencyKey: sha256(`${this.#deps.taskId}\n${step.key}`) };
    const done = await enclosing.run({ steps: this, key: step.key }, () => raceAbort(() => execute(call), signal));
    const value =
      journal === undefined || begun === undefined
        ? roundTrip(done.value, step.key)
        : await this.#journaled(() => journal.finish(begun, done));
    this.#log('step finished', step, { outcome: 'finished', attempt, durationMs: Math.round(elapsed()) });
    return value as T;
  }

  /** Key of the step that the running code is part of. Steps of another task do not count. */
  #within(): string | undefined {
    const around = enclosing.getStore();
    return around?.steps === this ? around.key : undefined;
  }

  #replayed<T>(step: Step, { value, entry }: { value: unknown; entry: FormerEntry }): T {
    const { release } = this.#deps;
    if (step.inputDigest !== undefined && entry.inputDigest !== undefined && step.inputDigest !== entry.inputDigest) {
      throw this.#end(
        new FatalError(
          `step ${JSON.stringify(step.name)} was finished by ${entry.release === release ? 'this release' : `release ${entry.release}`} (attempt ${entry.attempt}) with another input than release ${release} gives it now; give a step that does something else a name of its own, and one whose input varies from run to run (a time, a random number) that input from a step before it`,
          { code: RuntimeErrorCode.JOURNAL_MISMATCH },
        ),
      );
    }
    this.#log('step replayed', step, { outcome: 'replayed', finishedBy: entry.attempt });
    return value as T;
  }

  /** What the journal could not do ends the attempt. */
  async #journaled<T>(work: () => Promise<T> | undefined): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      throw this.#end(error);
    }
  }

  #end(error: unknown): unknown {
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
