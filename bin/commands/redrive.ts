import { hostname, userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { Command, Option } from 'commander';
import {
  type DeadEntry,
  type RedriveAnswer,
  type RedriveFilter,
  type RedriveRequest,
  redriveFilterSchema,
} from '../../lambda/functions/redrive/protocol';
import { LANES, type LaneName, PRIORITIES, type Priority } from '../../lib/contract';
import { type Style, styleFor } from '../../rehearsal/drill/report/style';
import { durationInSeconds } from './parse-duration';
import { numberBetween } from './parse-number';
import { type AskFunction, functionAsker, functionInOutputs, RedriveError, redriveClient } from './redrive-function';
import { renderEntries } from './redrive-table';
import { TERMINAL, type Terminal } from './run-and-report';

const RedriveExit = {
  DONE: 0,
  /** Something could not be sent back, or was not because nobody agreed. */
  NOT_DONE: 1,
  USAGE: 2,
  /** The function could not be invoked, or failed. */
  INVOKE_FAILED: 3,
} as const;

/** So many tasks are shown before somebody is asked whether they are to be sent back. */
const PREVIEW = 200;

interface Options {
  readonly function?: string;
  readonly outputs?: string;
  readonly stack?: string;
  readonly list?: boolean;
  readonly sendBack?: boolean;
  readonly dryRun?: boolean;
  readonly lane?: LaneName;
  readonly priority?: Priority;
  readonly code?: string;
  readonly release?: string;
  readonly user?: string;
  readonly task?: readonly string[];
  readonly olderThan?: number;
  readonly limit?: number;
  readonly json?: boolean;
  readonly region?: string;
  readonly yes?: boolean;
}

/** A terminal that can be asked. */
export interface RedriveTerminal extends Terminal {
  /** Whether somebody sits there who can answer. */
  readonly canAsk: boolean;
  readonly ask: (question: string) => Promise<string>;
}

const ASKABLE: RedriveTerminal = {
  ...TERMINAL,
  canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true,
  ask: async (question) => {
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
  A task that failed at its last attempt has its message in the dead-letter queue of its lane. This command lists such
  tasks, and sends them back once what made them fail is mended: each starts again with all its tries before it, in the
  lane where its user is routed today, and the steps that it had finished are not run again. It works through the redrive
  function of the deployment; every call that changes something leaves an entry in the audit trail.

What it does not do:
  It does not move messages as SQS's own redrive does: a task that has ended would only end up where it came from. A task
  that ended otherwise, or is no more, is not run again; with --send-back its message alone is removed. Messages that
  nobody can read are left where they are. What it reads is hidden from others until it has done, seconds as a rule and
  5 minutes at most; alarms on these queues do not see it meanwhile.

Where the function is:
  --function takes its name or ARN: output RedriveFunction of the stack. --outputs reads it from the file that
  \`cdk deploy --outputs-file outputs.json\` wrote. Account and region are those of the AWS SDK (AWS_PROFILE, AWS_REGION).

Examples:
  What is dead, and why:
  $ npx cdk-agent-lanes redrive --outputs outputs.json

  What would be sent back after an outage of the provider:
  $ npx cdk-agent-lanes redrive --outputs outputs.json --code provider_error --send-back --dry-run

  Send it back, a few first, then all, without being asked:
  $ npx cdk-agent-lanes redrive --outputs outputs.json --code provider_error --send-back --limit 5
  $ npx cdk-agent-lanes redrive --outputs outputs.json --code provider_error --send-back --yes

  Two tasks, by id:
  $ npx cdk-agent-lanes redrive --function support-redrive --send-back --task t-… --task t-…

  How many of each error, with jq:
  $ npx cdk-agent-lanes redrive --outputs outputs.json --json | jq '[.entries[].error.code] | group_by(.) | map({(.[0]): length})'

Exit codes:
  0  listed, or all that was meant was sent back (also if that was nothing)
  1  some could not be sent back, or were not because nobody agreed
  2  wrong usage
  3  the function could not be invoked, or failed`;

/** `redrive`: lists dead tasks and sends them back. */
export function redriveCommand(terminal: RedriveTerminal = ASKABLE): Command {
  return new Command('redrive')
    .summary('list tasks in the dead-letter queues of a deployment, and send them back')
    .description('Lists tasks in the dead-letter queues of a deployment, and sends them back.')
    .option('--function <name>', 'name or ARN of the redrive function')
    .option('--outputs <file>', 'file of `cdk deploy --outputs-file` to read the name from')
    .option('--stack <name>', 'stack in that file, if it has several agents')
    .option('--list', 'list them (default)')
    .addOption(new Option('--send-back', 'send them back').conflicts('list'))
    .option('--dry-run', 'with --send-back: say what would be sent back, and do nothing')
    .addOption(new Option('--lane <name>', 'in the dead-letter queue of this lane').choices(LANES))
    .addOption(new Option('--priority <name>', 'of this priority').choices(PRIORITIES))
    .option('--code <code>', 'failed with an error of this code')
    .option('--release <id>', 'last run by this release')
    .option('--user <user>', 'of this user')
    .option('--task <id>', 'this task; may be repeated', (id: string, before: readonly string[] = []) => [
      ...before,
      id,
    ])
    .option('--older-than <time>', 'failed at least so long ago: 90s, 15m, 2h, 7d', durationInSeconds)
    .option('--limit <number>', 'at most so many tasks', numberBetween(1, 1_000_000, true))
    .option('--json', 'print JSON to standard output, and all else to standard error')
    .option('--region <region>', "AWS region (default: the SDK's)")
    .option('--yes', 'do not ask before sending back')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      process.exitCode = await redrive(options, terminal);
    });
}

async function redrive(options: Options, terminal: RedriveTerminal): Promise<number> {
  const say = options.json ? terminal.err : terminal.out;
  const style = styleFor({ isTTY: options.json ? process.stderr.isTTY === true : terminal.isTTY });
  try {
    checkUsage(options, terminal);
    const name = functionName(options);
    const client = redriveClient(options.region);
    try {
      return await work(functionAsker(client, name), options, { terminal, say, style });
    } finally {
      client.destroy();
    }
  } catch (error) {
    if (error instanceof RedriveError) {
      terminal.err(`${style.bad(error.isUsage ? 'not understood' : 'could not redrive')}: ${error.message}`);
      return error.isUsage ? RedriveExit.USAGE : RedriveExit.INVOKE_FAILED;
    }
    throw error;
  }
}

/** @throws RedriveError */
function checkUsage({ sendBack, dryRun, yes, stack, outputs }: Options, { canAsk }: RedriveTerminal): void {
  if (stack !== undefined && outputs === undefined) {
    throw new RedriveError('--stack chooses from the file of --outputs, which is not given', true);
  }
  if (dryRun && !sendBack) {
    throw new RedriveError('--dry-run says what --send-back would do: give both', true);
  }
  if (sendBack && !dryRun && !yes && !canAsk) {
    throw new RedriveError(
      'nobody can be asked here whether to send tasks back: see what it would do by --dry-run, then give --yes',
      true,
    );
  }
}

function functionName({ function: name, outputs, stack }: Options): string {
  if (name !== undefined && outputs === undefined) {
    return name;
  }
  if (name === undefined && outputs !== undefined) {
    return functionInOutputs(outputs, stack);
  }
  throw new RedriveError('say where the redrive function is: either --function NAME or --outputs FILE', true);
}

interface Output {
  readonly terminal: RedriveTerminal;
  readonly say: (line: string) => void;
  readonly style: Style;
}

async function work(ask: AskFunction, options: Options, output: Output): Promise<number> {
  const { say, style, terminal } = output;
  const filter = filterOf(options);
  const by = whoAsks();
  if (!options.sendBack || options.dryRun) {
    const found = await askAll(ask, { action: options.sendBack ? 'redrive' : 'list', dryRun: true, by }, filter);
    show(found, options, output);
    return RedriveExit.DONE;
  }
  const agreement = options.yes ? 'yes' : await agreed(ask, filter, { by, say, style, terminal });
  if (agreement !== 'yes') {
    return agreement === 'no' ? RedriveExit.NOT_DONE : RedriveExit.DONE;
  }
  const done = await askAll(ask, { action: 'redrive', by }, filter);
  show(done, options, output);
  return done.totals.failed > 0 ? RedriveExit.NOT_DONE : RedriveExit.DONE;
}

/** Shows what is about to be sent back, and asks. */
async function agreed(
  ask: AskFunction,
  filter: RedriveFilter,
  { by, say, style, terminal }: Output & { readonly by: string },
): Promise<'yes' | 'no' | 'nothing to do'> {
  const limit = Math.min(filter.limit ?? PREVIEW, PREVIEW);
  const { entries, totals, more } = await ask({
    action: 'redrive',
    dryRun: true,
    by,
    filter: { ...filter, limit },
  });
  for (const line of renderEntries(entries, style)) {
    say(line);
  }
  const isAll = !more && (entries.length < limit || entries.length === filter.limit);
  const number = (fate: DeadEntry['fate']) => entries.filter((entry) => entry.fate === fate).length;
  if (number('redrive') + number('remove') === 0 && isAll) {
    say(`nothing to send back${hiddenInWords(totals.hidden)}`);
    return 'nothing to do';
  }
  const what = isAll
    ? `${tasks(number('redrive'))} back, and remove ${number('remove')} messages of others`
    : `these back, and whatever else is meant`;
  const answer = await terminal.ask(`Send ${what}? [y/N] `);
  if (/^y(es)?$/i.test(answer.trim())) {
    return 'yes';
  }
  say('nothing was sent back');
  return 'no';
}

interface Collected extends Omit<RedriveAnswer, 'more'> {
  /** Not everything was read, and asking again did not help. */
  readonly incomplete: boolean;
}

/** Asks until everything was read. */
async function askAll(ask: AskFunction, request: Partial<RedriveRequest>, filter: RedriveFilter): Promise<Collected> {
  const entries = new Map<string, DeadEntry>();
  const totals = { read: 0, duplicates: 0, sentBack: 0, removed: 0, failed: 0, hidden: 0 };
  for (;;) {
    const left = filter.limit === undefined ? undefined : filter.limit - entries.size;
    const answer = await ask({ ...request, filter: { ...filter, ...(left === undefined ? {} : { limit: left }) } });
    for (const entry of answer.entries) {
      entries.set(`${entry.lane} ${entry.message}`, entry);
    }
    totals.read += answer.totals.read;
    totals.duplicates += answer.totals.duplicates;
    totals.sentBack += answer.totals.sentBack;
    totals.removed += answer.totals.removed;
    totals.failed += answer.totals.failed;
    totals.hidden = answer.totals.hidden;
    const isFull = filter.limit !== undefined && entries.size >= filter.limit;
    if (!answer.more || isFull || answer.totals.read === 0) {
      return { entries: [...entries.values()], totals, incomplete: answer.more && !isFull };
    }
  }
}

function show({ entries, totals, incomplete }: Collected, options: Options, { terminal, say, style }: Output): void {
  if (options.json) {
    terminal.out(JSON.stringify({ entries, totals, complete: !incomplete && totals.hidden === 0 }, null, 2));
  } else {
    for (const line of renderEntries(entries, style)) {
      say(line);
    }
  }
  const can = entries.filter(({ fate, done }) => fate === 'redrive' && !done).length;
  const summary =
    options.sendBack && !options.dryRun
      ? `${tasks(totals.sentBack)} sent back, ${totals.removed} messages of others removed, ${totals.failed} not done`
      : `${entries.length === 1 ? '1 entry' : `${entries.length} entries`}, ${can} can be sent back`;
  say(`${style.strong(summary)}${hiddenInWords(totals.hidden)}`);
  if (incomplete) {
    say(style.bad('not everything could be read: ask again in a few minutes'));
  }
}

function tasks(count: number): string {
  return count === 1 ? '1 task' : `${count} tasks`;
}

/** Messages that somebody else holds cannot be read: to say nothing of them would look as if there were none. */
function hiddenInWords(hidden: number): string {
  return hidden === 0
    ? ''
    : `; about ${hidden} more are held by another call, or were just read by this one: ask again in 5 minutes`;
}

/** @throws RedriveError naming the option */
function filterOf({ lane, priority, code, release, user, task, olderThan, limit }: Options): RedriveFilter {
  const filter: RedriveFilter = {
    lane,
    priority,
    code,
    release,
    user,
    ...(task === undefined ? {} : { task: [...task] }),
    olderThanSeconds: olderThan,
    limit,
  };
  const issue = redriveFilterSchema.safeParse(filter).error?.issues[0];
  if (issue !== undefined) {
    const [option, index] = issue.path;
    const value =
      Array.isArray(task) && typeof index === 'number' ? task[index] : filter[option as keyof RedriveFilter];
    throw new RedriveError(`--${String(option)} ${String(value)}: ${issue.message}`, true);
  }
  return filter;
}

/** For the audit trail. Some containers have no user. */
function whoAsks(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return hostname();
  }
}
