import { spawnSync } from 'node:child_process';

/** Median of the values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  const lower = sorted.length % 2 === 0 ? sorted[middle - 1] : upper;
  if (upper === undefined || lower === undefined) {
    throw new Error('median of nothing');
  }
  return (lower + upper) / 2;
}

export interface Comparison {
  readonly name: string;
  readonly peer: string;
  readonly unit: string;
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: number;
  /** Target for the ratio, if there is one. */
  readonly atMost?: number;
  readonly rounds: number;
}

/** Runs both in turn, so that a slow moment of the machine hits both, and compares the medians. */
export function compare(
  what: { readonly name: string; readonly peer: string; readonly unit: string; readonly atMost?: number },
  rounds: number,
  ours: () => number,
  theirs: () => number,
): Comparison {
  ours();
  theirs();
  const a: number[] = [];
  const b: number[] = [];
  for (let round = 0; round < rounds; round++) {
    a.push(ours());
    b.push(theirs());
  }
  const [mine, peer] = [median(a), median(b)];
  return { ...what, ours: mine, theirs: peer, ratio: mine / peer, rounds };
}

/** Wall milliseconds of a command that must succeed. */
export function timed(command: string, args: readonly string[], environment: Readonly<Record<string, string>>): number {
  const start = performance.now();
  const run = spawnSync(command, args, { env: { ...process.env, ...environment }, encoding: 'utf8' });
  const elapsed = performance.now() - start;
  if (run.status !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${run.status}: ${run.stderr}`);
  }
  return elapsed;
}
