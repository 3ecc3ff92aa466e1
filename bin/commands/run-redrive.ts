import { hostname, userInfo } from 'node:os';
import {
  type DeadEntry,
  type RedriveAnswer,
  type RedriveFilter,
  type RedriveRequest,
  redriveFilterSchema,
} from '../../lambda/functions/redrive/protocol';
import { type Style, styleFor } from '../../rehearsal/drill/report/style';
import { type InteractiveTerminal, type RedriveCommandOptions, RedriveExitCode } from './command-options';
import {
  createRedriveClient,
  createRedriveInvoker,
  functionNameFromOutputs,
  type InvokeRedrive,
  RedriveError,
} from './redrive-client';
import { renderEntries } from './redrive-table';

/** Maximum number of tasks that are shown before the prompt. */
const MAX_PREVIEW = 200;

/** @returns the exit code */
export async function runRedriveCommand(
  options: RedriveCommandOptions,
  terminal: InteractiveTerminal,
): Promise<number> {
  const print = options.json ? terminal.err : terminal.out;
  const style = styleFor({ isTTY: options.json ? process.stderr.isTTY === true : terminal.isTTY });
  try {
    checkUsage(options, terminal);
    const name = functionNameOf(options);
    const client = createRedriveClient(options.region);
    try {
      return await listOrRedrive(createRedriveInvoker(client, name), options, { terminal, print, style });
    } finally {
      client.destroy();
    }
  } catch (error) {
    if (error instanceof RedriveError) {
      terminal.err(`${style.failure(error.isUsage ? 'wrong usage' : 'could not redrive')}: ${error.message}`);
      return error.isUsage ? RedriveExitCode.USAGE : RedriveExitCode.INVOKE_FAILED;
    }
    throw error;
  }
}

/** @throws RedriveError */
function checkUsage(
  { execute, dryRun, yes, stack, outputs }: RedriveCommandOptions,
  { isInteractive }: InteractiveTerminal,
): void {
  if (stack !== undefined && outputs === undefined) {
    throw new RedriveError('--stack selects a stack of the --outputs file: give --outputs too', true);
  }
  if (dryRun && !execute) {
    throw new RedriveError('--dry-run shows what --execute would do: give both', true);
  }
  if (execute && !dryRun && !yes && !isInteractive) {
    throw new RedriveError(
      '--execute asks for confirmation, and there is no terminal to ask: check with --dry-run, then give --yes',
      true,
    );
  }
}

/** @throws RedriveError */
function functionNameOf({ function: name, outputs, stack }: RedriveCommandOptions): string {
  if (name !== undefined && outputs === undefined) {
    return name;
  }
  if (name === undefined && outputs !== undefined) {
    return functionNameFromOutputs(outputs, stack);
  }
  throw new RedriveError('the redrive function is required: give either --function NAME or --outputs FILE', true);
}

interface Output {
  readonly terminal: InteractiveTerminal;
  readonly print: (line: string) => void;
  readonly style: Style;
}

async function listOrRedrive(invoke: InvokeRedrive, options: RedriveCommandOptions, output: Output): Promise<number> {
  const filter = filterOf(options);
  const by = operatorIdentity();
  if (!options.execute || options.dryRun) {
    const action = options.execute ? 'redrive' : 'list';
    show(await invokeUntilComplete(invoke, { action, dryRun: true, by }, filter), options, output);
    return RedriveExitCode.DONE;
  }
  const decision = options.yes ? 'confirmed' : await confirm(invoke, filter, by, output);
  if (decision !== 'confirmed') {
    return decision === 'declined' ? RedriveExitCode.NOT_DONE : RedriveExitCode.DONE;
  }
  const result = await invokeUntilComplete(invoke, { action: 'redrive', by }, filter);
  show(result, options, output);
  return result.totals.failed > 0 ? RedriveExitCode.NOT_DONE : RedriveExitCode.DONE;
}

/** Shows what would be redriven, and asks for confirmation. */
async function confirm(
  invoke: InvokeRedrive,
  filter: RedriveFilter,
  by: string,
  { print, style, terminal }: Output,
): Promise<'confirmed' | 'declined' | 'nothing to do'> {
  const limit = Math.min(filter.limit ?? MAX_PREVIEW, MAX_PREVIEW);
  const { entries, totals, more } = await invoke({ action: 'redrive', dryRun: true, by, filter: { ...filter, limit } });
  for (const line of renderEntries(entries, style)) {
    print(line);
  }
  const isAll = !more && (entries.length < limit || entries.length === filter.limit);
  const count = (fate: DeadEntry['fate']) => entries.filter((entry) => entry.fate === fate).length;
  if (count('redrive') + count('remove') === 0 && isAll) {
    print(`nothing to redrive${hiddenNote(totals.hidden)}`);
    return 'nothing to do';
  }
  const question = isAll
    ? `Redrive ${plural(count('redrive'), 'task')} and remove ${plural(count('remove'), 'obsolete message')}?`
    : 'Redrive these and all other matching tasks?';
  const answer = await terminal.prompt(`${question} [y/N] `);
  if (/^y(es)?$/i.test(answer.trim())) {
    return 'confirmed';
  }
  print('declined at the prompt: nothing was redriven');
  return 'declined';
}

interface CollectedAnswers extends Omit<RedriveAnswer, 'more'> {
  /** Not all messages were read, and a further invocation read none. */
  readonly incomplete: boolean;
}

/** One invocation has limited time and room in its answer: invokes until all messages have been read. */
async function invokeUntilComplete(
  invoke: InvokeRedrive,
  request: Partial<RedriveRequest>,
  filter: RedriveFilter,
): Promise<CollectedAnswers> {
  const entries = new Map<string, DeadEntry>();
  const totals = { read: 0, duplicates: 0, redriven: 0, removed: 0, failed: 0, hidden: 0 };
  for (;;) {
    const limit = filter.limit === undefined ? undefined : filter.limit - entries.size;
    const answer = await invoke({ ...request, filter: { ...filter, limit } });
    for (const entry of answer.entries) {
      entries.set(`${entry.lane} ${entry.message}`, entry);
    }
    totals.read += answer.totals.read;
    totals.duplicates += answer.totals.duplicates;
    totals.redriven += answer.totals.redriven;
    totals.removed += answer.totals.removed;
    totals.failed += answer.totals.failed;
    totals.hidden = answer.totals.hidden;
    const reachedLimit = filter.limit !== undefined && entries.size >= filter.limit;
    if (!answer.more || reachedLimit || answer.totals.read === 0) {
      return { entries: [...entries.values()], totals, incomplete: answer.more && !reachedLimit };
    }
  }
}

function show(
  { entries, totals, incomplete }: CollectedAnswers,
  options: RedriveCommandOptions,
  { terminal, print, style }: Output,
): void {
  if (options.json) {
    terminal.out(JSON.stringify({ entries, totals, complete: !incomplete && totals.hidden === 0 }, null, 2));
  } else {
    for (const line of renderEntries(entries, style)) {
      print(line);
    }
  }
  const redrivable = entries.filter(({ fate, done }) => fate === 'redrive' && !done).length;
  const summary =
    options.execute && !options.dryRun
      ? `${plural(totals.redriven, 'task')} redriven, ${plural(totals.removed, 'obsolete message')} removed, ${totals.failed} failed`
      : `${entries.length === 1 ? '1 entry' : `${entries.length} entries`}, ${redrivable} can be redriven`;
  print(`${style.bold(summary)}${hiddenNote(totals.hidden)}`);
  if (incomplete) {
    print(style.failure('not all messages could be read: run the command again in a few minutes'));
  }
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

/** Without this note an operator would take invisible messages for absent ones. */
function hiddenNote(hidden: number): string {
  return hidden === 0
    ? ''
    : `; about ${hidden} more messages are invisible, because another reader or this command received them: run it again in 5 minutes`;
}

/** @throws RedriveError naming the option */
function filterOf({
  lane,
  priority,
  code,
  release,
  user,
  task,
  olderThan,
  limit,
}: RedriveCommandOptions): RedriveFilter {
  const filter: RedriveFilter = {
    lane,
    priority,
    code,
    release,
    user,
    task: task === undefined ? undefined : [...task],
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

/** For the audit trail. A container may have no user. */
function operatorIdentity(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return hostname();
  }
}
