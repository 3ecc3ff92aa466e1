import type { DrillHistory } from '../report/history';

/** Result of the check of one invariant. */
export interface Finding {
  readonly held: boolean;
  /** What was checked, or the first three violations. */
  readonly detail: string;
}

/** A condition that every run must meet. */
export interface Invariant {
  /** Stable name in the report. */
  readonly name: string;
  /** The promise, as a sentence. */
  readonly promise: string;
  check(history: DrillHistory): Finding;
}

/** Held if `broken` is empty. The detail has the first three violations. */
export function findingOf(broken: readonly string[], held: string): Finding {
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
