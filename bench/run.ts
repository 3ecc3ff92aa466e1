/**
 * Performance, as ratios against named peers measured in the same run: `npm run bench`, `npm run bench -- --json FILE`.
 */
import '../bin/commands/quiet-sdk';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Comparison } from './measure';
import { routerBundle } from './router-bundle';
import { synthTime } from './synth';
import { rehearsalThroughput } from './throughput';

function line(result: Comparison): string {
  const target =
    result.atMost === undefined ? '' : `  target ≤ ${result.atMost}${result.ratio <= result.atMost ? '' : '  MISSED'}`;
  const figures = `${result.ours.toFixed(0)} ${result.unit} against ${result.theirs.toFixed(0)} ${result.unit}`;
  return `${result.name.padEnd(28)} ${result.ratio.toFixed(2)}×  (${figures}, ${result.peer}, ${result.rounds} rounds)${target}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { json: { type: 'string' }, rounds: { type: 'string', default: '9' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log('npm run bench -- [--rounds N] [--json FILE]\n\nMeasures synth, the router bundle and the rehearsal.');
    return;
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds is ${values.rounds}, but a whole number from 1 up is expected`);
  }
  const comparisons: Comparison[] = [];
  for (const part of [routerBundle, synthTime]) {
    for (const result of part(rounds)) {
      comparisons.push(result);
      console.log(line(result));
    }
  }
  const throughput = await rehearsalThroughput();
  console.log(
    `tasks through the rehearsal   ${throughput.tasksPerSecond.toFixed(1)} per second (${throughput.tasks} tasks, ${throughput.seconds.toFixed(1)} s)`,
  );
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ comparisons, throughput }, null, 2)}\n`);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
