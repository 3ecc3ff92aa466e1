import type { DeadEntry } from '../../lambda/functions/redrive/protocol';
import type { Style } from '../../rehearsal/drill/report/style';

const MAX_CELL_LENGTH = 60;

const COLUMNS: readonly (readonly [string, (entry: DeadEntry) => string])[] = [
  ['task', ({ task, message }) => task ?? `message ${message}`],
  ['lane', ({ lane }) => lane],
  ['priority', ({ priority }) => priority ?? '–'],
  ['user', ({ user }) => user ?? '–'],
  ['status', ({ status }) => status ?? 'no record'],
  ['release', ({ release }) => release ?? '–'],
  ['attempts', ({ attempts }) => (attempts === undefined ? '–' : String(attempts))],
  ['ended', ({ finishedAt }) => finishedAt?.slice(0, 19).concat('Z') ?? '–'],
  ['error', ({ error }) => (error === undefined ? '–' : `${error.code}: ${error.message}`)],
  ['', describeFate],
];

function describeFate({ fate, done, problem, sentTo }: DeadEntry): string {
  if (problem !== undefined) {
    return 'FAILED';
  }
  switch (fate) {
    case 'redrive':
      return done ? `redriven to ${sentTo}` : 'can be redriven';
    case 'remove':
      return done ? 'obsolete message removed' : 'obsolete message';
    case 'leave':
      return 'unreadable, left in the queue';
  }
}

/** A table for people: one row per entry, followed by the reason if the task is not redriven. */
export function renderEntries(entries: readonly DeadEntry[], style: Style): readonly string[] {
  if (entries.length === 0) {
    return [];
  }
  const rows = entries.map((entry) => COLUMNS.map(([, cell]) => printable(cell(entry))));
  const widths = COLUMNS.map(([title], column) =>
    Math.max(title.length, ...rows.map((row) => [...(row[column] ?? '')].length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length))
      .join('  ')
      .trimEnd();
  return [
    style.bold(line(COLUMNS.map(([title]) => title))),
    ...entries.flatMap((entry, index) => {
      const row = line(rows[index] ?? []);
      const why = entry.problem ?? entry.reason;
      const colored = entry.problem !== undefined ? style.failure(row) : entry.done ? style.success(row) : row;
      return why === undefined ? [colored] : [colored, style.dim(`  ${printable(why, 300)}`)];
    }),
  ];
}

/** Callers and agents choose users and errors: control characters must not reach the terminal, nor line breaks the table. */
function printable(text: string, maxLength = MAX_CELL_LENGTH): string {
  const clean = [...text.replaceAll(/\p{C}|\s/gu, ' ')];
  return clean.length > maxLength ? `${clean.slice(0, maxLength - 1).join('')}…` : clean.join('');
}
