import { writeFileSync } from 'node:fs';
import { DRILLS, type NamedDrill } from '../../rehearsal/catalog';
import { repositoryRoot } from '../../rehearsal/core/package-root';
import { withTasks } from '../../rehearsal/drill';
import { ExitCode, type Terminal } from './command-line';
import type { DrillCommandOptions } from './command-options';
import { runAndReport } from './run-and-report';

/** @returns the exit code */
export async function runDrillCommand(
  name: string | undefined,
  options: DrillCommandOptions,
  terminal: Terminal,
): Promise<number> {
  if (options.list) {
    listDrills(options.json, terminal);
    return ExitCode.PASSED;
  }
  const drill = DRILLS.find((candidate) => candidate.name === name);
  if (drill === undefined) {
    const problem = name === undefined ? 'the name of a drill is missing' : `unknown drill "${name}"`;
    terminal.err(`${problem}: expected one of ${DRILLS.map((known) => known.name).join(', ')}`);
    terminal.err('Run with --list to see what each drill shows.');
    return ExitCode.USAGE;
  }
  const scenario = await drill.scenario();
  if (options.tasks !== undefined && scenario.traffic === undefined) {
    terminal.err(`--tasks: drill ${drill.name} has no traffic: omit --tasks`);
    return ExitCode.USAGE;
  }
  return await runAndReport(
    {
      scenario: withTasks(scenario, options.tasks),
      // Outside the repository the program has no such command.
      directory: repositoryRoot() ?? process.cwd(),
      seed: options.seed,
      speed: options.speed,
      json: options.json,
      keep: options.keep,
    },
    terminal,
  );
}

function listDrills(json: string | undefined, terminal: Terminal): void {
  const list = DRILLS.map(({ name, shows }: NamedDrill) => ({ name, shows }));
  if (json === '-') {
    terminal.out(JSON.stringify(list, null, 2));
    return;
  }
  if (json !== undefined) {
    writeFileSync(json, `${JSON.stringify(list, null, 2)}\n`);
  }
  const width = Math.max(...list.map(({ name }) => name.length));
  for (const { name, shows } of list) {
    terminal.out(`${name.padEnd(width)}  ${shows}`);
  }
}
