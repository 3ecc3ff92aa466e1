import { Command } from 'commander';
import { scenarioJsonSchema } from '../../rehearsal/drill';
import { TERMINAL, type Terminal } from './run-and-report';

/** `schema`: prints the JSON schema of scenarios. */
export function schemaCommand(terminal: Terminal = TERMINAL): Command {
  return new Command('schema')
    .summary('print the JSON schema of scenarios')
    .description('Prints the JSON schema of scenarios for `rehearse`. It checks nothing itself: `rehearse` does.')
    .action(() => terminal.out(JSON.stringify(scenarioJsonSchema(), null, 2)));
}
