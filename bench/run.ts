/**
 * Performance, as ratios against named peers measured in the same run: `npm run bench`, `npm run bench -- --json FILE`.
 */
import './quiet-sdk';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { callsPerTask } from './calls-per-task';
import { costsPage } from './costs';
import { fargateParts } from './fargate-parts';
import { installFigures, installLines } from './install';
import { limiterCost } from './limiter';
import type { Comparison } from './measure';
import { inRehearsal } from './rehearsed-stack';
import { routerBundle } from './router-bundle';
import { standingParts } from './standing-parts';
import { synthTime } from './synth';
import { rehearsalThroughput } from './throughput';
import { workerOverhead } from './worker-overhead';

/** Small figures with a digit more. */
function figure(value: number): string {
  return value.toFixed(value < 20 ? 1 : 0);
}

function line(result: Comparison): string {
  const target =
    result.atMost === undefined ? '' : `  target ≤ ${result.atMost}${result.ratio <= result.atMost ? '' : '  MISSED'}`;
  const figures = `${figure(result.ours)} ${result.unit} against ${figure(result.theirs)} ${result.unit}`;
  return `${result.name.padEnd(28)} ${result.ratio.toFixed(2)}×  (${figures}, ${result.peer}, ${result.rounds} rounds)${target}`;
}

function callsText(calls: Readonly<Record<string, number>>): string {
  return Object.entries(calls)
    .map(([call, count]) => `${call} ${count.toFixed(2)}`)
    .join(', ');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      costs: { type: 'string' },
      rounds: { type: 'string', default: '9' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(
      'npm run bench -- [--rounds N] [--json FILE] [--costs docs/costs.md]\n\nMeasures the installed packages, synth, the router bundle, the worker, the limiter and the rehearsal; writes the page of costs if asked to.',
    );
    return;
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds must be an integer of 1 or more, got ${values.rounds}`);
  }
  const install = installFigures();
  for (const text of installLines(install)) {
    console.log(text);
  }
  const comparisons: Comparison[] = [];
  for (const part of [routerBundle, synthTime]) {
    for (const result of part(rounds)) {
      comparisons.push(result);
      console.log(line(result));
    }
  }
  const { overhead, calls, standing } = await inRehearsal('bench/overhead/app.ts', async (stack) => ({
    calls: await callsPerTask(stack),
    overhead: await workerOverhead(stack, rounds),
    standing: standingParts(stack),
  }));
  comparisons.push(overhead);
  console.log(line(overhead));
  console.log(`AWS calls of a task           ${callsText(calls.wire)}`);
  console.log(`and for each step             ${callsText(calls.perStep)}`);
  if (values.costs !== undefined) {
    writeFileSync(values.costs, costsPage(calls, standing, fargateParts()));
  }
  const limiter = await limiterCost(rounds);
  comparisons.push(limiter.latency);
  console.log(line(limiter.latency));
  console.log(`store calls of the limiter    ${limiter.storeCalls.toFixed(1)} for 1,000 model calls`);
  const throughput = await rehearsalThroughput();
  console.log(
    `tasks through the rehearsal   ${throughput.tasksPerSecond.toFixed(1)} per second (${throughput.tasks} tasks, ${throughput.seconds.toFixed(1)} s)`,
  );
  if (values.json !== undefined) {
    writeFileSync(
      values.json,
      `${JSON.stringify({ install, comparisons, calls, limiterStoreCalls: limiter.storeCalls, throughput }, null, 2)}\n`,
    );
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
