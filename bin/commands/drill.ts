import { Command } from 'commander';
import { DRILLS } from '../../rehearsal/catalog';
import { packageRoot } from '../../rehearsal/catalog/package-root';
import { withTasks } from '../../rehearsal/drill';
import { EXIT_CODE_HELP, ExitCode } from './exit-codes';
import { numberBetween } from './parse-number';
import { runAndReport, TERMINAL, type Terminal } from './run-and-report';

interface Options {
  readonly list?: boolean;
  readonly seed?: number;
  readonly speed?: number;
  readonly tasks?: number;
  readonly json?: string;
  readonly keep?: string;
}

const HELP = `
What it does not do:
  It does not rehearse your app: the drills prove the library, with apps of this repository. For yours use \`rehearse\`.

Examples:
  $ npm run drill -- --list
  $ npm run drill -- gate-cost
  $ npm run drill -- default --seed 7 --json report.json
  $ npm run drill -- chaos --seed 3 --tasks 5000

${EXIT_CODE_HELP}`;

/** `drill`: runs one of the drills that the repository keeps. */
export function drillCommand(terminal: Terminal = TERMINAL): Command {
  return new Command('drill')
    .summary('run one of the drills that the repository keeps')
    .description('Runs one of the drills that the repository keeps. Works in a clone of the repository.')
    .argument('[name]', 'name of the drill')
    .option('--list', 'list the drills')
    .option(
      '--seed <number>',
      "seed of traffic and model provider (default: the drill's)",
      numberBetween(0, 2 ** 53 - 1, true),
    )
    .option('--speed <number>', "cloud seconds per real second, 1 to 600 (default: the drill's)", numberBetween(1, 600))
    .option(
      '--tasks <number>',
      "tasks to send at least, for a drill that has traffic (default: the drill's)",
      numberBetween(1, 1_000_000, true),
    )
    .option('--json <file>', 'where to write the report, - for standard output')
    .option('--keep <folder>', 'leave assemblies, events, tables and report there for inspection')
    .addHelpText('after', HELP)
    .action(async (name: string | undefined, options: Options) => {
      process.exitCode = await drill(name, options, terminal);
    });
}

async function drill(name: string | undefined, options: Options, terminal: Terminal): Promise<number> {
  if (options.list) {
    const width = Math.max(...DRILLS.map((candidate) => candidate.name.length));
    for (const candidate of DRILLS) {
      terminal.out(`${candidate.name.padEnd(width)}  ${candidate.shows}`);
    }
    return ExitCode.PASSED;
  }
  const found = DRILLS.find((candidate) => candidate.name === name);
  if (found === undefined) {
    const given = name === undefined ? 'no drill is named' : `there is no drill "${name}"`;
    terminal.err(
      `${given}: expected one of ${DRILLS.map((candidate) => candidate.name).join(', ')} (--list says what they show)`,
    );
    return ExitCode.USAGE;
  }
  const scenario = await found.scenario();
  if (options.tasks !== undefined && scenario.traffic === undefined) {
    terminal.err(`--tasks: drill ${found.name} has no traffic: leave --tasks out`);
    return ExitCode.USAGE;
  }
  return await runAndReport(
    {
      scenario: withTasks(scenario, options.tasks),
      directory: packageRoot(),
      seed: options.seed,
      speed: options.speed,
      json: options.json,
      keep: options.keep,
    },
    terminal,
  );
}
