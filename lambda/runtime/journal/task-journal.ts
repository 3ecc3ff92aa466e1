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
import { StepValues } from './step-values';

/**
 * What was done is paid for, so it is tried to be written again after these pauses (milliseconds of the cloud's time)
 * where the store cannot answer for now.
 */
const WRITE_PAUSES_MS = [1_000, 3_000];

/** What became of a write: done, or refused because of what is there. */
export type RecordResult =
  | { readonly kind: 'written' }
  | { readonly kind: 'refused'; readonly found: JournalEntry | undefined };

/** Where the entries of all tasks are. */
export interface JournalStore {
  /** Every entry of the task that has not expired, as of now. */
  load(taskId: string): Promise<readonly JournalEntry[]>;
  /** Writes the entry, provided that there is none, or one that was started by this attempt or an earlier one. */
  record(taskId: string, entry: JournalEntry): Promise<RecordResult>;
}

export interface TaskJournalDeps {
  readonly store: JournalStore;
  readonly payloads: PayloadStore;
  readonly taskId: string;
  /** 1 for the first attempt: nobody was there before it, so nothing is loaded. */
  readonly attempt: number;
  /** Of the attempt's lease. */
  readonly token: string;
  readonly release: string;
  /** Whether the lease is this attempt's still, as far as it can know without asking. */
  readonly isLeaseHeld: () => boolean;
  /** When entries expire: seconds since 1970. Not before the task does. */
  readonly expiresAt: number;
  /** Usage of earlier attempts, as the task's record has it. */
  readonly recordUsage?: Usage | undefined;
  /** Models that answered earlier attempts, as the task's record has it. */
  readonly recordModels?: ModelCallStats['answered'] | undefined;
  readonly clock: Clock;
}

/** How many things an attempt did, and how many it found done. */
export interface StepCounts {
  readonly executed: number;
  readonly replayed: number;
}

/** What is about to be done. */
export interface Step {
  readonly key: string;
  readonly kind: JournalKind;
  readonly name: string;
  readonly inputDigest?: string | undefined;
  readonly parent?: string | undefined;
}

/** What was done. */
export interface StepResult {
  readonly value: unknown;
  readonly usage?: Usage;
  /** Model that answered. */
  readonly model?: string;
}

/** The value of a finished step: as its JSON gives it, when it ran first as well as ever after. */
export interface ReplayedStep {
  readonly value: unknown;
  readonly entry: JournalEntry;
}

/** A step that this attempt began. */
export interface BegunStep extends Step {
  readonly order: number;
}

/**
 * The step journal of one task, as one attempt sees it: what earlier attempts finished is not done again, and what this
 * one finishes is written before the agent goes on. Two attempts may be at work at once without knowing of each other;
 * the store's condition lets each entry be finished once, and the later attempt be right.
 */
export class TaskJournal {
  readonly #deps: TaskJournalDeps;
  readonly #values: StepValues;
  /** Entries of earlier attempts. */
  readonly #former: ReadonlyMap<string, JournalEntry>;
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
    this.#former = new Map(entries.map((entry) => [entry.key, entry]));
    this.#occurrences = occurrencesIn(entries);
  }

  get steps(): StepCounts {
    return { executed: this.#executed, replayed: this.#replayed };
  }

  /** Entries that earlier attempts finished. */
  get finishedEarlier(): number {
    return [...this.#former.values()].filter(({ state }) => state === 'finished').length;
  }

  /** What earlier attempts used: what was written at their end, or what their journal says, whichever is more. */
  get usage(): Usage {
    const { recordUsage = NO_USAGE } = this.#deps;
    const journaled = [...this.#former.values()].reduce((sum, { usage = NO_USAGE }) => addUsage(sum, usage), NO_USAGE);
    const most = { ...recordUsage };
    for (const field of usageFields) {
      most[field] = Math.max(recordUsage[field], journaled[field]);
    }
    return most;
  }

  /** Models that answered earlier attempts, with how often: as {@link usage}. */
  get models(): ModelCallStats['answered'] {
    const journaled: Record<string, number> = {};
    for (const { model } of this.#former.values()) {
      if (model !== undefined) {
        journaled[model] = (journaled[model] ?? 0) + 1;
      }
    }
    return maxAnswers(this.#deps.recordModels ?? {}, journaled);
  }

  /** What flags said to earlier attempts. */
  get flags(): Readonly<Record<string, FlagValue>> {
    return Object.fromEntries(
      [...this.#former.values()]
        .filter(({ key, state }) => state === 'finished' && key.startsWith(JournalKeyPrefix.FLAG))
        .map(({ name, json }) => [name, flagValueSchema.parse(JSON.parse(json ?? 'null'))]),
    );
  }

  /** Names of entries that earlier attempts finished, and that this one had no use for. Reports of usage are of none. */
  unusedEntries(): readonly string[] {
    return [...this.#former.values()]
      .filter(
        ({ key, state }) => state === 'finished' && !this.#used.has(key) && !key.startsWith(JournalKeyPrefix.USAGE),
      )
      .sort((a, b) => a.order - b.order)
      .map(({ key }) => key);
  }

  /** Whether this attempt has used the entry already, by itself or within another. */
  isUsed(key: string): boolean {
    return this.#used.has(key);
  }

  /** Keys `<prefix>#<n>` that earlier attempts finished, by their numbers. */
  occurrencesOf(prefix: string): readonly string[] {
    return this.#occurrences.get(prefix) ?? [];
  }

  /**
   * The step's value if an earlier attempt finished it.
   *
   * @throws FatalError (`journal_lost`) when the value is gone
   */
  async replay(step: Step): Promise<ReplayedStep | undefined> {
    const entry = this.#former.get(step.key);
    return entry?.state === 'finished' ? this.#take(entry) : undefined;
  }

  /**
   * Begins a step that no earlier attempt is known to have finished; gives its value if one has by now.
   *
   * @throws LeaseLostError when the lease is not this attempt's any more: the step must not be done
   */
  async begin(step: Step): Promise<BegunStep | ReplayedStep> {
    const begun = { ...step, order: this.#order };
    this.#order += 1;
    this.requireLease(step);
    if (this.#deps.attempt > 1) {
      const recorded = await this.#record(this.#entry(begun, 'started'));
      if (recorded !== undefined) {
        return this.#take(recorded);
      }
      this.requireLease(step);
    }
    return begun;
  }

  /** @throws LeaseLostError when the lease is not this attempt's any more: the step must not be done */
  requireLease({ key }: Step): void {
    if (!this.#deps.isLeaseHeld()) {
      throw new LeaseLostError(`the lease ran out before ${key}`);
    }
  }

  /**
   * Writes what was done, and gives its value as a replay would.
   *
   * @throws LeaseLostError when another attempt has taken the step over
   * @throws FatalError when the value is no JSON, or too large
   */
  finish(begun: BegunStep, done: StepResult): Promise<unknown> {
    const writing = this.#finish(begun, done);
    const settled = writing.catch(() => {}).finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
    return writing;
  }

  /** Whether something is done, but not written yet. */
  get isWriting(): boolean {
    return this.#pending.size > 0;
  }

  /** When no write is under way. */
  async pendingWritesSettled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #finish(begun: BegunStep, { value, usage, model }: StepResult): Promise<unknown> {
    const { attempt } = this.#deps;
    const text = this.#values.write(begun, value);
    this.requireLease(begun);
    const place = await this.#persistently(() => this.#values.place(begun, text, attempt));
    const entry = {
      ...this.#entry(begun, 'finished'),
      ...place,
      ...(usage && { usage }),
      ...(model === undefined ? {} : { model }),
    };
    const other = await this.#persistently(() => this.#record(entry));
    if (other !== undefined) {
      throw new LeaseLostError(`attempt ${other.attempt} finished ${begun.key}, so attempt ${attempt} is not the last`);
    }
    this.#executed += 1;
    return text === undefined ? undefined : JSON.parse(text);
  }

  async #persistently<T>(write: () => Promise<T>): Promise<T> {
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

  /** @returns undefined when written; the entry when an earlier attempt has finished it meanwhile */
  async #record(entry: JournalEntry): Promise<JournalEntry | undefined> {
    const { store, taskId, attempt, token } = this.#deps;
    const recorded = await store.record(taskId, entry);
    if (recorded.kind === 'written') {
      return undefined;
    }
    const { found } = recorded;
    // A lost answer makes the SDK write again, and meet what it wrote before.
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

  async #take(entry: JournalEntry): Promise<ReplayedStep> {
    const value = await this.#values.read(entry);
    this.#use(entry.key);
    this.#replayed += 1;
    return { value, entry };
  }

  /** Whatever was done within a step goes with it. */
  #use(key: string): void {
    this.#used.add(key);
    for (const { key: child, parent } of this.#former.values()) {
      if (parent === key && !this.#used.has(child)) {
        this.#use(child);
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
