#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { packageRoot } from '../rehearsal/core/package-root';
import { ExitCode } from './commands/command-line';
import { createProgram } from './commands/program';

// Set before a command loads an SDK client, which otherwise prints a notice about Node.js versions between the lines of a run.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };

createProgram(version)
  .parseAsync()
  .then(
    () => process.exit(),
    (error: unknown) => {
      if (error instanceof CommanderError) {
        process.exit(error.exitCode === 0 ? ExitCode.PASSED : ExitCode.USAGE);
      }
      console.error(error);
      process.exit(ExitCode.FAILED);
    },
  );
