import { Command } from 'commander';
import { EXIT_CODE_HELP, integerBetween, numberBetween, TERMINAL, type Terminal } from './command-line';
import type { DrillCommandOptions } from './command-options';

const HELP = `
What it does:
  A drill is a scenario with an app of this repository: it shows that the library keeps a promise. A drill runs as
  \`rehearse\` does, ends with the same report, and checks the same invariants.

What it does not do:
  It does not rehearse your app: use \`rehearse\` for that.

Examples:
  $ npm run drill -- --list
  $ npm run drill -- --list --json -
  $ npm run drill -- gate-cost
  $ npm run drill -- default --seed 7 --json report.json
  $ npm run drill -- chaos --seed 3 --tasks 5000

${EXIT_CODE_HELP}`;

/** `drill`: runs one of the repository's drills. */
export function drillCommand(terminal: Terminal = TERMINAL): Command {
  return new Command('drill')
    .summary("run one of the repository's drills")
    .description("Runs one of the repository's drills. Works in a clone of the repository only.")
    .argument('[name]', 'name of the drill')
    .option('--list', 'list the drills')
    .option(
      '--seed <number>',
      'seed of the traffic and the model provider (default: as in the drill)',
      integerBetween(0, Number.MAX_SAFE_INTEGER),
    )
    .option(
      '--speed <number>',
      'cloud seconds per real second, 1 to 600 (default: as in the drill)',
      numberBetween(1, 600),
    )
    .option(
      '--tasks <number>',
      'minimum number of tasks to send, if the drill has traffic (default: as in the drill)',
      integerBetween(1, 1_000_000),
    )
    .option('--json <file>', 'file to write the report (or the list) to, - for standard output')
    .option('--keep <folder>', 'folder to keep assemblies, events, logs, tables and report in, for inspection')
    .addHelpText('after', HELP)
    .action(async (name: string | undefined, options: DrillCommandOptions) => {
      // Loaded by the action only: see createProgram().
      const { runDrillCommand } = require('./run-drill') as typeof import('./run-drill');
      process.exitCode = await runDrillCommand(name, options, terminal);
    });
}
