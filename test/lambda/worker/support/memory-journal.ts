import type { JournalStore, RecordResult } from '../../../../lambda/runtime/journal/journal-store';
import type { JournalEntry } from '../../../../lib/contract';

/**
 * What the journal of a task must be, in a few lines: an entry is taken when there is none, or one that was started by
 * the same attempt or an earlier one. journal-store.test.ts holds the table to it.
 */
export class MemoryJournal implements Pick<JournalStore, 'load' | 'record'> {
  readonly #entries = new Map<string, JournalEntry>();

  async load(taskId: string): Promise<readonly JournalEntry[]> {
    return [...this.#entries].flatMap(([place, entry]) => (place.startsWith(`${taskId} `) ? [entry] : []));
  }

  async record(taskId: string, entry: JournalEntry): Promise<RecordResult> {
    return this.put(taskId, entry) ? { kind: 'written' } : { kind: 'refused', found: this.get(taskId, entry.key) };
  }

  get(taskId: string, key: string): JournalEntry | undefined {
    return this.#entries.get(`${taskId} ${key}`);
  }

  /** Whether the entry was taken. */
  put(taskId: string, entry: JournalEntry): boolean {
    const found = this.get(taskId, entry.key);
    if (found !== undefined && !(found.state === 'started' && found.attempt <= entry.attempt)) {
      return false;
    }
    this.#entries.set(`${taskId} ${entry.key}`, entry);
    return true;
  }
}
