import { Command } from 'commander';
import { repositoryRoot } from '../../rehearsal/core/package-root';
import { styleFor } from '../../rehearsal/drill/report/style';
import { drillCommand } from './drill';
import { openApiCommand } from './openapi';
import { redriveCommand } from './redrive';
import { rehearseCommand } from './rehearse';
import { schemaCommand } from './schema';

const HELP = `
Examples:
  $ npx cdk-agent-lanes rehearse
  $ npx cdk-agent-lanes redrive --outputs outputs.json
  $ npx cdk-agent-lanes openapi --out openapi.json

\`cdk-agent-lanes help COMMAND\` explains a command, with examples and its exit codes.`;

/**
 * The program with all its commands. A command's module holds only its options and its help; its action loads the module
 * that does the work, so that `--help` loads neither the local cloud nor SDK clients.
 *
 * @param version of the package
 */
export function createProgram(version: string): Command {
  const program = new Command('cdk-agent-lanes')
    .description(
      'Rehearses agents that are deployed with cdk-agent-lanes, and operates them. It deploys nothing: use `cdk deploy`.',
    )
    .version(version)
    .addHelpText('after', HELP);
  const commands = [
    rehearseCommand(),
    // The drills deploy the repository's own examples, which the package does not have.
    ...(repositoryRoot() === undefined ? [] : [drillCommand()]),
    schemaCommand(),
    redriveCommand(),
    openApiCommand(version),
  ];
  for (const command of commands) {
    program.addCommand(command);
  }
  for (const command of [program, ...program.commands]) {
    explainErrors(command);
  }
  return program;
}

/** Adds to an error of usage what the command accepts, and where its help is. */
function explainErrors(command: Command): void {
  const style = styleFor(process.stdout);
  command
    .exitOverride()
    .showHelpAfterError('Run with --help for usage.')
    .configureHelp({ styleTitle: (title) => style.bold(title) })
    .configureOutput({
      outputError: (message, write) => write(`${message}${acceptedInstead(message, command)}`),
    });
}

function acceptedInstead(message: string, command: Command): string {
  if (message.includes('unknown option')) {
    const flags = command.createHelp().visibleOptions(command);
    return `Options of ${command.name()}: ${flags.map(({ long, short }) => long ?? short).join(', ')}\n`;
  }
  if (message.includes('unknown command')) {
    const names = command.commands.map((known) => known.name());
    return `Commands: ${names.join(', ')}\n`;
  }
  return '';
}
