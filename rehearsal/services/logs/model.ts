import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RehearsalClock } from '../../core/clock';
import type { LogsPort } from '../../core/ports';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';

/** Lines kept in memory per group, the newest. */
const MAX_LINES = 20_000;

export interface LogLine {
  /** Cloud time. */
  readonly timestamp: number;
  readonly stream: string;
  readonly message: string;
}

/** Log groups with their lines. A group that no template has is created by its first line, as by a function on AWS. */
export class LogGroups implements LogsPort {
  readonly #clock: RehearsalClock;
  readonly #directory: string | undefined;
  readonly #lines = new Map<string, LogLine[]>();

  /** @param directory gets a file per group. @default - lines are kept in memory only */
  constructor(clock: RehearsalClock, directory: string | undefined) {
    this.#clock = clock;
    this.#directory = directory;
    if (directory !== undefined) mkdirSync(directory, { recursive: true });
  }

  has(group: string): boolean {
    return this.#lines.has(group);
  }

  create(group: string): void {
    this.#lines.set(group, []);
  }

  delete(group: string): void {
    this.#lines.delete(group);
  }

  names(): readonly string[] {
    return [...this.#lines.keys()];
  }

  /** The newest lines, oldest first. */
  lines(group: string): readonly LogLine[] {
    return this.#lines.get(group)?.slice(-MAX_LINES) ?? [];
  }

  /** Every line that is still in memory, oldest first; undefined if there is no such group. */
  allLines(group: string): readonly LogLine[] | undefined {
    return this.#lines.get(group);
  }

  write(group: string, stream: string, message: string): void {
    const timestamp = this.#clock.now();
    const lines = this.#lines.get(group);
    const line = { timestamp, stream, message };
    if (lines === undefined) this.#lines.set(group, [line]);
    else {
      lines.push(line);
      // Cut rarely: shifting a line each time would copy the array each time.
      if (lines.length >= 2 * MAX_LINES) lines.splice(0, lines.length - MAX_LINES);
    }
    if (this.#directory !== undefined) {
      const file = join(this.#directory, `${group.replace(/^\//, '').replaceAll('/', '_')}.log`);
      appendFileSync(file, `${new Date(timestamp).toISOString()} ${stream} ${message}\n`);
    }
  }
}

export function logGroupArn(name: string): string {
  return `arn:aws:logs:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:log-group:${name}`;
}
