import {
  type FlagValue,
  flagValueSchema,
  type JournalEntry,
  JournalKeyPrefix,
  type JournalKind,
  type Usage,
  usageFields,
} from '../../../lib/contract';
import { isUnavailable } from '../../shared/aws/aws-errors';
import type { Clock } from '../../shared/clock';
import type { PayloadStore } from '../../shared/tasks/payload-store';
import { LeaseLostError } from '../errors';
import { addUsage, NO_USAGE } from '../limits/usage';
import { type ModelCallStats, maxAnswers } from '../model/model-call-stats';
import type { JournalStore } from './journal-store';
import { StepValues } from './step-values';

/**
 * A finished step is paid for, so its write is retried after these pauses (milliseconds of the cloud's time) while the store
 * is unavailable.
 */
const WRITE_PAUSES_MS = [1_000, 3_000];

export interface TaskJournalDeps {
  readonly store: Pick<JournalStore, 'load' | 'record'>;
  readonly payloads: PayloadStore;
  readonly taskId: string;
  /** Number of the attempt. 1: there is nothing to load. */
  readonly attempt: number;
  /** Token of the attempt's lease. */
  readonly token: string;
  readonly release: string;
  /** Whether this attempt holds the lease, as far as it can know without a call. */
  readonly isLeaseHeld: () => boolean;
  /** When entries expire, in seconds since 1970. Not before the task. */
  readonly expiresAt: number;
  /** Usage of earlier attempts by the task's record. */
  readonly recordUsage?: Usage | undefined;
  /** Models that answered earlier attempts by the task's record. */
  readonly recordModels?: ModelCallStats['answered'] | undefined;
  readonly clock: Clock;
}

/** Number of steps that an attempt executed, and of steps that it replayed. */
export interface StepCounts {
  readonly executed: number;
  readonly replayed: number;
}

/** A step, tool call or model call before it runs. */
export interface Step {
  readonly key: string;
  readonly kind: JournalKind;
  readonly name: string;
  readonly inputDigest?: string | undefined;
  readonly parent?: string | undefined;
}

/** The result of a step, tool call or model call. */
export interface StepResult {
  readonly value: unknown;
  readonly usage?: Usage;
  /** Model that answered. */
  readonly model?: string;
}

/** A step that an earlier attempt finished, with its value as parsed from JSON. */
export interface ReplayedStep {
  readonly value: unknown;
  readonly entry: JournalEntry;
}

/** A step that this attempt has begun. */
export interface BegunStep extends Step {
  readonly order: number;
}

/**
 * The step journal of one task, as one attempt sees it: steps that earlier attempts finished are replayed, and steps that this
 * attempt finishes are written before the agent continues. Two attempts may run at the same time without knowing of each
 * other; the store's condition lets each entry be finished once, and gives precedence to the later attempt.
 */
export class TaskJournal {
  readonly #deps: TaskJournalDeps;
  readonly #values: StepValues;
  /** Entries of earlier attempts. */
  readonly #earlierEntries: ReadonlyMap<string, JournalEntry>;
  readonly #occurrences: ReadonlyMap<string, readonly string[]>;
  readonly #used = new Set<string>();
  readonly #pending = new Set<Promise<unknown>>();
  #order = 0;
  #executed = 0;
  #replayed = 0;

  /** @throws RetryableError when the journal cannot be read */
  static async open(deps: TaskJournalDeps): Promise<TaskJournal> {
    const entries = deps.attempt === 1 ? [] : await deps.store.load(deps.taskId);
    return new TaskJournal(deps, entries);
  }

  private constructor(deps: TaskJournalDeps, entries: readonly JournalEntry[]) {
    this.#deps = deps;
    this.#values = new StepValues(deps);
    this.#earlierEntries = new Map(entries.map((entry) => [entry.key, entry]));
    this.#occurrences = occurrencesIn(entries);
  }

  get steps(): StepCounts {
    return { executed: this.#executed, replayed: this.#replayed };
  }

  /** Entries that earlier attempts finished. */
  get finishedEarlier(): number {
    return [...this.#earlierEntries.values()].filter(({ state }) => state === 'finished').length;
  }

  /** Usage of earlier attempts: the larger of what the record and the journal say, per field. */
  get usage(): Usage {
    const { recordUsage = NO_USAGE } = this.#deps;
    const journaled = [...this.#earlierEntries.values()].reduce(
      (sum, { usage = NO_USAGE }) => addUsage(sum, usage),
      NO_USAGE,
    );
    const largest = { ...recordUsage };
    for (const field of usageFields) {
      largest[field] = Math.max(recordUsage[field], journaled[field]);
    }
    return largest;
  }

  /** Models that answered earlier attempts, with the number of answers: the larger of record and journal. */
  get models(): ModelCallStats['answered'] {
    const journaled: Record<string, number> = {};
    for (const { model } of this.#earlierEntries.values()) {
      if (model !== undefined) {
        journaled[model] = (journaled[model] ?? 0) + 1;
      }
    }
    return maxAnswers(this.#deps.recordModels ?? {}, journaled);
  }

  /** Values of the flags that earlier attempts read. */
  get flags(): Readonly<Record<string, FlagValue>> {
    return Object.fromEntries(
      [...this.#earlierEntries.values()]
        .filter(({ key, state }) => state === 'finished' && key.startsWith(JournalKeyPrefix.FLAG))
        .map(({ name, json }) => [name, flagValueSchema.parse(JSON.parse(json ?? 'null'))]),
    );
  }

  /** Keys of entries that earlier attempts finished and this one did not use. Usage reports are never used. */
  unusedEntries(): readonly string[] {
    return [...this.#earlierEntries.values()]
      .filter(
        ({ key, state }) => state === 'finished' && !this.#used.has(key) && !key.startsWith(JournalKeyPrefix.USAGE),
      )
      .sort((a, b) => a.order - b.order)
      .map(({ key }) => key);
  }

  /** Whether this attempt has used the entry, directly or as part of its parent. */
  isUsed(key: string): boolean {
    return this.#used.has(key);
  }

  /** Keys `<prefix>#<n>` that earlier attempts finished, in the order of n. */
  occurrencesOf(prefix: string): readonly string[] {
    return this.#occurrences.get(prefix) ?? [];
  }

  /**
   * The step's value if an earlier attempt finished it.
   *
   * @throws FatalError (`journal_lost`) when the value no longer exists
   */
  async replay(step: Step): Promise<ReplayedStep | undefined> {
    const entry = this.#earlierEntries.get(step.key);
    return entry?.state === 'finished' ? this.#replayEntry(entry) : undefined;
  }

  /**
   * Begins a step. Returns its value instead if an earlier attempt has finished it in the meantime.
   *
   * @throws LeaseLostError when this attempt no longer holds the lease: the step must not run
   */
  async begin(step: Step): Promise<BegunStep | ReplayedStep> {
    const begun = { ...step, order: this.#order };
    this.#order += 1;
    this.requireLease(step);
    if (this.#deps.attempt > 1) {
      const recorded = await this.#record(this.#entry(begun, 'started'));
      if (recorded !== undefined) {
        return this.#replayEntry(recorded);
      }
      this.requireLease(step);
    }
    return begun;
  }

  /** @throws LeaseLostError when this attempt no longer holds the lease: the step must not run */
  requireLease({ key }: Step): void {
    if (!this.#deps.isLeaseHeld()) {
      throw new LeaseLostError(`the lease expired before ${key}`);
    }
  }

  /**
   * Records the result of a step and returns its value as a replay would.
   *
   * @throws LeaseLostError when another attempt has taken the step over
   * @throws FatalError when the value is not JSON, or too large
   */
  finish(begun: BegunStep, done: StepResult): Promise<unknown> {
    const writing = this.#finish(begun, done);
    const settled = writing.catch(() => {}).finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
    return writing;
  }

  /** Whether a finished step is not written yet. */
  get isWriting(): boolean {
    return this.#pending.size > 0;
  }

  /** Resolves when no write is pending. */
  async pendingWritesSettled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #finish(begun: BegunStep, { value, usage, model }: StepResult): Promise<unknown> {
    const { attempt } = this.#deps;
    const text = this.#values.write(begun, value);
    this.requireLease(begun);
    const place = await this.#withRetries(() => this.#values.place(begun, text, attempt));
    const entry = {
      ...this.#entry(begun, 'finished'),
      ...place,
      ...(usage && { usage }),
      ...(model === undefined ? {} : { model }),
    };
    const other = await this.#withRetries(() => this.#record(entry));
    if (other !== undefined) {
      throw new LeaseLostError(`attempt ${other.attempt} finished ${begun.key}, so attempt ${attempt} is not the last`);
    }
    this.#executed += 1;
    return text === undefined ? undefined : JSON.parse(text);
  }

  async #withRetries<T>(write: () => Promise<T>): Promise<T> {
    for (const pause of WRITE_PAUSES_MS) {
      try {
        return await write();
      } catch (error) {
        if (!(error instanceof Error && isUnavailable(error.cause) && this.#deps.isLeaseHeld())) {
          throw error;
        }
        await this.#deps.clock.sleep(pause);
      }
    }
    return write();
  }

  /** @returns undefined if written; the existing entry if an earlier attempt finished the step in the meantime */
  async #record(entry: JournalEntry): Promise<JournalEntry | undefined> {
    const { store, taskId, attempt, token } = this.#deps;
    const recorded = await store.record(taskId, entry);
    if (recorded.kind === 'written') {
      return undefined;
    }
    const { found } = recorded;
    // After a lost response the SDK writes again and finds its own first write.
    if (found?.token === token && found.state === entry.state) {
      return undefined;
    }
    if (found?.state === 'finished' && found.attempt < attempt) {
      return found;
    }
    throw new LeaseLostError(
      `attempt ${found?.attempt ?? 'after this one'} has taken over ${entry.key} from attempt ${attempt}`,
    );
  }

  async #replayEntry(entry: JournalEntry): Promise<ReplayedStep> {
    const value = await this.#values.read(entry);
    this.#markUsed(entry.key);
    this.#replayed += 1;
    return { value, entry };
  }

  /** Marks an entry as used, with the entries of its nested steps. */
  #markUsed(key: string): void {
    this.#used.add(key);
    for (const { key: child, parent } of this.#earlierEntries.values()) {
      if (parent === key && !this.#used.has(child)) {
        this.#markUsed(child);
      }
    }
  }

  #entry({ key, kind, name, inputDigest, parent, order }: BegunStep, state: JournalEntry['state']): JournalEntry {
    const { attempt, token, release, clock, expiresAt } = this.#deps;
    return {
      key,
      kind,
      name,
      state,
      attempt,
      token,
      release,
      order,
      at: Math.floor(clock.now()),
      expiresAt,
      inputDigest,
      parent,
    };
  }
}

function occurrencesIn(entries: readonly JournalEntry[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, { readonly key: string; readonly number: number }[]>();
  for (const { key, kind, state } of entries) {
    const hash = key.lastIndexOf('#');
    if (kind !== 'step' && state === 'finished' && hash > 0) {
      const prefix = key.slice(0, hash);
      const numbered = { key, number: Number(key.slice(hash + 1)) };
      found.set(prefix, [...(found.get(prefix) ?? []), numbered]);
    }
  }
  return new Map(
    [...found].map(([prefix, keys]) => [prefix, keys.sort((a, b) => a.number - b.number).map(({ key }) => key)]),
  );
}
