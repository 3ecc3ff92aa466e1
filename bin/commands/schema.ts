import { Command } from 'commander';
import { TERMINAL, type Terminal } from './command-line';

const HELP = `
What it does not do:
  It checks no scenario: \`rehearse\` does.

Example:
  $ npx cdk-agent-lanes schema > scenario.schema.json

Exit codes:
  0  printed
  2  the command line is wrong`;

/** `schema`: prints the JSON schema of scenarios. */
export function schemaCommand(terminal: Terminal = TERMINAL): Command {
  return new Command('schema')
    .summary('print the JSON schema of scenarios')
    .description('Prints the JSON schema of scenarios for `rehearse`.')
    .addHelpText('after', HELP)
    .action(() => {
      // Loaded by the action only: see createProgram().
      const { scenarioJsonSchema } =
        require('../../rehearsal/drill/scenario/scenario') as typeof import('../../rehearsal/drill/scenario/scenario');
      terminal.out(JSON.stringify(scenarioJsonSchema(), null, 2));
    });
}
