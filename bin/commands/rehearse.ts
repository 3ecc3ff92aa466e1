import { Command } from 'commander';
import { EXIT_CODE_HELP, integerBetween, numberBetween, TERMINAL, type Terminal } from './command-line';
import { DEFAULT_REPORT, DEFAULT_SCENARIO, type RehearseCommandOptions } from './command-options';

const HELP = `
What it does:
  1. Synthesizes the app as \`cdk synth\` does.
  2. Creates the stack in a local cloud on this machine: no AWS account, no Docker, no network except 127.0.0.1.
  3. Sends real tasks over HTTP, and deploys the releases of the scenario one after the other under this load.
  4. Checks the invariants: no task is lost, none has two results, no user sees two releases, gates roll bad releases
     back, good releases are promoted, no permission is missing, and the destroyed stack leaves no resource behind.

What it does not do:
  It deploys nothing and calls no AWS account. It models AWS and is not AWS: docs/rehearsal.md lists what it does not
  model. It rejects a template with unsupported resources by name, before it starts anything. It does not validate
  templates as the CDK does: \`cdk synth\` does.

The scenario:
  --scenario FILE, otherwise ${DEFAULT_SCENARIO} in the current folder. Without either, it deploys the app unchanged, sends one
  probe task and destroys the stack. \`cdk-agent-lanes schema\` prints the JSON schema of scenarios.

Examples:
  $ npx cdk-agent-lanes rehearse
  $ npx cdk-agent-lanes rehearse --app "npx tsx bin/app.ts" --scenario rollouts.json --json -
  $ npx cdk-agent-lanes rehearse --speed 60 --keep ./inspect

${EXIT_CODE_HELP}`;

/** `rehearse`: deploys an app to the local cloud and rolls releases out in it. */
export function rehearseCommand(terminal: Terminal = TERMINAL): Command {
  return new Command('rehearse')
    .summary('deploy the app to a local cloud and roll releases out in it, under load')
    .description('Deploys the app to a local cloud and rolls the releases of a scenario out in it, under load.')
    .option(
      '--app <command>',
      'command that synthesizes the app, or the folder of a cloud assembly (default: "app" in cdk.json)',
    )
    .option('--scenario <file>', `scenario to run (default: ${DEFAULT_SCENARIO}, if that file exists)`)
    .option(
      '--speed <number>',
      'cloud seconds per real second, 1 to 600 (default: as in the scenario)',
      numberBetween(1, 600),
    )
    .option(
      '--seed <number>',
      'seed of the traffic and the model provider (default: as in the scenario)',
      integerBetween(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--json <file>', `file to write the report to, - for standard output (default: ${DEFAULT_REPORT})`)
    .option('--keep <folder>', 'folder to keep assemblies, events, logs, tables and report in, for inspection')
    .addHelpText('after', HELP)
    .action(async (options: RehearseCommandOptions) => {
      // Loaded by the action only: see createProgram().
      const { runRehearseCommand } = require('./run-rehearse') as typeof import('./run-rehearse');
      process.exitCode = await runRehearseCommand(options, terminal);
    });
}
