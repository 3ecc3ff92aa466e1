import type { DeadEntry } from '../../lambda/functions/redrive/protocol';
import type { Style } from '../../rehearsal/drill/report/style';

const MAX_CELL = 60;

const COLUMNS: readonly (readonly [string, (entry: DeadEntry) => string])[] = [
  ['task', ({ task, message }) => task ?? `message ${message}`],
  ['lane', ({ lane }) => lane],
  ['priority', ({ priority }) => priority ?? '–'],
  ['user', ({ user }) => user ?? '–'],
  ['status', ({ status }) => status ?? 'no record'],
  ['release', ({ release }) => release ?? '–'],
  ['tries', ({ attempts }) => (attempts === undefined ? '–' : String(attempts))],
  ['ended', ({ finishedAt }) => finishedAt?.slice(0, 19).concat('Z') ?? '–'],
  ['error', ({ error }) => (error === undefined ? '–' : `${error.code}: ${error.message}`)],
  ['', fateInWords],
];

function fateInWords({ fate, done, problem, sentTo }: DeadEntry): string {
  if (problem !== undefined) {
    return 'NOT DONE';
  }
  switch (fate) {
    case 'redrive':
      return done ? `sent back to ${sentTo}` : 'can be sent back';
    case 'remove':
      return done ? 'message removed' : 'only its message is left';
    case 'leave':
      return 'is left';
  }
}

/** What was found, for people: a row each, and beneath it why something is not sent back. */
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
    style.strong(line(COLUMNS.map(([title]) => title))),
    ...entries.flatMap((entry, index) => {
      const row = line(rows[index] ?? []);
      const why = entry.problem ?? entry.reason;
      const colored = entry.problem !== undefined ? style.bad(row) : entry.done ? style.good(row) : row;
      return why === undefined ? [colored] : [colored, style.dim(`  ${printable(why, 300)}`)];
    }),
  ];
}

/** Users and errors hold whatever callers and agents wrote: it must not steer the terminal, nor tear the table. */
function printable(text: string, longest = MAX_CELL): string {
  const clean = [...text.replaceAll(/\p{C}|\s/gu, ' ')];
  return clean.length > longest ? `${clean.slice(0, longest - 1).join('')}…` : clean.join('');
}
