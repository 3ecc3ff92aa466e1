#!/usr/bin/env node
import './commands/quiet-sdk';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { packageRoot } from '../rehearsal/catalog/package-root';
import { drillCommand } from './commands/drill';
import { ExitCode } from './commands/exit-codes';
import { openApiCommand } from './commands/openapi';
import { redriveCommand } from './commands/redrive';
import { rehearseCommand } from './commands/rehearse';
import { schemaCommand } from './commands/schema';

const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };

const program = new Command('cdk-agent-lanes')
  .description(
    'Rehearses agents that are deployed with cdk-agent-lanes, and operates them. To deploy use `cdk deploy`.',
  )
  .version(version)
  .addCommand(rehearseCommand())
  .addCommand(drillCommand())
  .addCommand(schemaCommand())
  .addCommand(redriveCommand())
  .addCommand(openApiCommand(version));

for (const command of [program, ...program.commands]) {
  command.exitOverride().showHelpAfterError('(--help says more)');
}

program.parseAsync().then(
  () => process.exit(),
  (error: unknown) => {
    if (error instanceof CommanderError) {
      process.exit(error.exitCode === 0 ? ExitCode.PASSED : ExitCode.USAGE);
    }
    console.error(error);
    process.exit(ExitCode.COULD_NOT_RUN);
  },
);
