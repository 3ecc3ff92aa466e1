import { createInterface } from 'node:readline/promises';
import { Command, Option } from 'commander';
import { LANES, PRIORITIES } from '../../lib/contract';
import { durationInSeconds, integerBetween, TERMINAL } from './command-line';
import type { InteractiveTerminal, RedriveCommandOptions } from './command-options';

const INTERACTIVE_TERMINAL: InteractiveTerminal = {
  ...TERMINAL,
  isInteractive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  prompt: async (question) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await lines.question(question);
    } finally {
      lines.close();
    }
  },
};

const HELP = `
What it does:
  The message of a task that failed at its last attempt is in the dead-letter queue of its lane. This command lists these
  tasks. With --execute it redrives them, once the cause of their failure is fixed: each task starts again with all its
  attempts, in the lane to which its user is routed now, and steps that it had finished do not run again. The command
  invokes the redrive function of the deployment. Every invocation that changes something adds an audit entry.

What it does not do:
  It does not move messages as the redrive of SQS does: a task that has ended would return to the dead-letter queue. It
  runs no task that ended otherwise or that no longer exists: --execute only removes the obsolete message. It leaves
  unreadable messages in the queue. Messages that it reads are invisible to other readers until it is done, usually for
  seconds and for 5 minutes at most; alarms on these queues do not count them meanwhile.

The redrive function:
  --function takes its name or ARN: the output RedriveFunction of the stack. --outputs reads it from the file that
  \`cdk deploy --outputs-file outputs.json\` wrote. Account and region are those of the AWS SDK (AWS_PROFILE, AWS_REGION).

Examples:
  List the tasks, with their errors:
  $ npx cdk-agent-lanes redrive --outputs outputs.json

  Show what would be redriven after an outage of the model provider:
  $ npx cdk-agent-lanes redrive --outputs outputs.json --code provider_error --execute --dry-run

  Redrive five tasks, then the rest without a prompt:
  $ npx cdk-agent-lanes redrive --outputs outputs.json --code provider_error --execute --limit 5
  $ npx cdk-agent-lanes redrive --outputs outputs.json --code provider_error --execute --yes

  Redrive two tasks by id:
  $ npx cdk-agent-lanes redrive --function support-redrive --execute --task t-… --task t-…

  Count the tasks per error code, with jq:
  $ npx cdk-agent-lanes redrive --outputs outputs.json --json | jq '[.entries[].error.code] | group_by(.) | map({(.[0]): length})'

Exit codes:
  0  listed, or every matching task was redriven (also if none matched)
  1  at least one task could not be redriven, or declined at the prompt
  2  the command line is wrong
  3  the function could not be invoked, or failed`;

/** `redrive`: lists the tasks in the dead-letter queues, and redrives them. */
export function redriveCommand(terminal: InteractiveTerminal = INTERACTIVE_TERMINAL): Command {
  return new Command('redrive')
    .summary('list the tasks in the dead-letter queues of a deployment, and redrive them')
    .description('Lists the tasks in the dead-letter queues of a deployment, and redrives them.')
    .option('--function <name>', 'name or ARN of the redrive function')
    .option('--outputs <file>', 'file of `cdk deploy --outputs-file`, which has the name of the function')
    .option('--stack <name>', 'stack in that file, if several stacks have an agent')
    .option('--list', 'list the tasks (default)')
    .addOption(new Option('--execute', 'redrive the tasks').conflicts('list'))
    .option('--dry-run', 'with --execute: show what would be redriven, and change nothing')
    .addOption(new Option('--lane <name>', 'only tasks in the dead-letter queue of this lane').choices(LANES))
    .addOption(new Option('--priority <name>', 'only tasks of this priority').choices(PRIORITIES))
    .option('--code <code>', 'only tasks that failed with this error code')
    .option('--release <id>', 'only tasks that this release ran last')
    .option('--user <user>', 'only tasks of this user')
    .option('--task <id>', 'only this task; may be repeated', (id: string, before: readonly string[] = []) => [
      ...before,
      id,
    ])
    .option('--older-than <time>', 'only tasks that failed at least this time ago: 90s, 15m, 2h, 7d', durationInSeconds)
    .option('--limit <number>', 'maximum number of tasks', integerBetween(1, 1_000_000))
    .option('--json', 'print JSON to standard output, and all other lines to standard error')
    .option('--region <region>', 'AWS region (default: that of the AWS SDK)')
    .option('--yes', 'redrive without a prompt')
    .addHelpText('after', HELP)
    .action(async (options: RedriveCommandOptions) => {
      // Loaded by the action only: see createProgram().
      const { runRedriveCommand } = require('./run-redrive') as typeof import('./run-redrive');
      process.exitCode = await runRedriveCommand(options, terminal);
    });
}
