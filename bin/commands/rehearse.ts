import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { BUILT_IN, HOW_TO_GO_ON, loadScenario, ScenarioError } from '../../rehearsal/drill';
import { EXIT_CODE_HELP, ExitCode } from './exit-codes';
import { numberBetween } from './parse-number';
import { runAndReport, TERMINAL, type Terminal } from './run-and-report';

/** Scenario that is used when none is given and this file is there. */
const DEFAULT_SCENARIO = 'rehearsal.json';
const DEFAULT_REPORT = 'rehearsal-report.json';

interface Options {
  readonly app?: string;
  readonly scenario?: string;
  readonly speed?: number;
  readonly seed?: number;
  readonly json?: string;
  readonly keep?: string;
}

const HELP = `
What it does:
  Synthesizes the app as \`cdk synth\` does, brings the template up in a local cloud on this machine (no AWS account, no
  Docker, no network beyond 127.0.0.1), sends it real tasks over HTTP, deploys the releases of the scenario one after the
  other under that load, and holds the run to its invariants: no task lost, none with two results, no user shown two
  releases, bad releases taken back by their gates, good ones promoted, no permission missing, nothing left behind.

What it does not do:
  It deploys nothing and asks no account anything. It is a reading of AWS, not AWS: docs/rehearsal.md says what it does
  not imitate. A template with resources that it does not know is refused by name before anything is started. The CDK's
  own validation of templates is left to \`cdk synth\`.

The scenario:
  --scenario FILE, else ${DEFAULT_SCENARIO} in the current folder, else: deploy the app as it is, send a probe through it,
  destroy it. \`cdk-agent-lanes schema\` prints the JSON schema of scenarios.

Examples:
  $ npx cdk-agent-lanes rehearse
  $ npx cdk-agent-lanes rehearse --app "npx tsx bin/app.ts" --scenario rollouts.json --json -
  $ npx cdk-agent-lanes rehearse --speed 60 --keep ./inspect

${EXIT_CODE_HELP}`;

/** `rehearse`: brings an app up in the local cloud and rolls releases out in it. */
export function rehearseCommand(terminal: Terminal = TERMINAL): Command {
  return new Command('rehearse')
    .summary('bring the app up in a local cloud and roll releases out in it, under load')
    .description('Brings the app up in a local cloud and rolls the releases of a scenario out in it, under load.')
    .option(
      '--app <command>',
      'command that synthesizes the app, or a finished cloud assembly (default: "app" in cdk.json)',
    )
    .option('--scenario <file>', `scenario to run (default: ${DEFAULT_SCENARIO} if it is there)`)
    .option(
      '--speed <number>',
      "cloud seconds per real second, 1 to 600 (default: the scenario's)",
      numberBetween(1, 600),
    )
    .option(
      '--seed <number>',
      "seed of traffic and model provider (default: the scenario's)",
      numberBetween(0, 2 ** 53 - 1, true),
    )
    .option('--json <file>', `where to write the report, - for standard output (default: ${DEFAULT_REPORT})`)
    .option('--keep <folder>', 'leave assemblies, events, tables and report there for inspection')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      process.exitCode = await rehearse(options, terminal);
    });
}

async function rehearse(options: Options, terminal: Terminal): Promise<number> {
  const directory = process.cwd();
  const given = options.scenario ?? (existsSync(join(directory, DEFAULT_SCENARIO)) ? DEFAULT_SCENARIO : undefined);
  try {
    const scenario = given === undefined ? BUILT_IN : await loadScenario(resolve(directory, given));
    const say = options.json === '-' ? terminal.err : terminal.out;
    say(given === undefined ? `no ${DEFAULT_SCENARIO} here: ${BUILT_IN.name}` : `scenario ${given}`);
    return await runAndReport(
      {
        scenario,
        directory,
        json: options.json === '-' ? '-' : resolve(directory, options.json ?? DEFAULT_REPORT),
        ...(given === undefined ? { probe: true, epilogue: HOW_TO_GO_ON } : {}),
        app: options.app,
        speed: options.speed,
        seed: options.seed,
        keep: options.keep,
      },
      terminal,
    );
  } catch (error) {
    if (error instanceof ScenarioError) {
      terminal.err(error.message);
      return ExitCode.USAGE;
    }
    throw error;
  }
}
