import type { DrillHistory } from '../report/history';

/** What the check of one invariant found. */
export interface Finding {
  readonly held: boolean;
  /** What was counted, or the first few things that break it. */
  readonly detail: string;
}

/** One thing that must be true of every run. */
export interface Invariant {
  /** Stable name in the report. */
  readonly name: string;
  /** The promise, as a sentence. */
  readonly promise: string;
  check(history: DrillHistory): Finding;
}

/** Held when `broken` is empty; the detail names the first few. */
export function judge(broken: readonly string[], held: string): Finding {
  if (broken.length === 0) {
    return { held: true, detail: held };
  }
  const shown = broken.slice(0, 3).join('; ');
  const more = broken.length > 3 ? `; and ${broken.length - 3} more` : '';
  return { held: false, detail: `${shown}${more}` };
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
