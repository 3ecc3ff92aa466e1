import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { InteractiveTerminal } from '../../../bin/commands/command-options';
import { redriveCommand } from '../../../bin/commands/redrive';
import { documentClient } from '../../../lambda/shared/aws/clients/dynamodb';
import { envelopeOf } from '../../../lambda/shared/tasks/task-queues';
import { Env, LANES, PRIORITIES, TaskKey, type TaskRecord } from '../../../lib/contract';
import { OPERATOR_CREDENTIALS } from '../../../rehearsal/core/principal';
import { ScaledClock } from '../../../rehearsal/core/scaled-clock';
import { createDynamoDb, type DynamoDb } from '../../../rehearsal/services/dynamodb';
import { Stage } from '../../rehearsal/lambda/support';

const AGENT = 'support';
const RELEASE = 'r-0123456789ab';
const BUNDLE = join(__dirname, '../../../assets/redrive/index.js');

/** A function with 250 dead tasks, which answers with at most 100 of those that are left. */
const FULL_QUEUE = `
let left = 250;
exports.handler = async ({ action, dryRun, filter }) => {
  const count = Math.min(left, filter.limit ?? 100, dryRun && filter.limit ? 1000 : 100);
  const done = action === 'redrive' && !dryRun;
  const entries = Array.from({ length: count }, (_, index) => ({
    lane: 'stable', message: 'm-' + (left - index), fate: 'redrive', done, ...(done ? { sentTo: 'stable' } : {}),
  }));
  if (done) left -= count;
  const totals = { read: count, duplicates: 0, redriven: done ? count : 0, removed: 0, failed: 0, hidden: 0 };
  return { entries, totals, more: done && left > 0 && filter.limit !== count };
};`;

/** Runs the command against the bundled function in the local cloud; the SDK's environment variables point to it, as to AWS. */
describe('cdk-agent-lanes redrive', () => {
  const folder = mkdtempSync(join(tmpdir(), 'redrive-'));
  const outputs = join(folder, 'outputs.json');
  const before = process.env;
  const clock = new ScaledClock({ speed: 60 });
  const urls: Record<string, string> = {};
  let stage: Stage;
  let db: DynamoDb;
  let sqs: SQSClient;
  let documents: ReturnType<typeof documentClient>;
  let lines: string[];
  let errors: string[];
  let questions: string[];
  let answer: string | undefined;
  let sequence = 0;

  const table = (TableName: string) => {
    const handler = db.handlers.find(({ type }) => type === 'AWS::DynamoDB::Table');
    const names = ['pk', 'sk'];
    return handler?.create({
      stack: stage.stack,
      logicalId: TableName,
      path: TableName,
      report: () => {},
      properties: {
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
        KeySchema: names.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
      },
    });
  };

  beforeAll(async () => {
    stage = await Stage.open({ clock });
    db = createDynamoDb({ clock });
    stage.apiServer.add(db.service);
    const settings = {
      endpoint: stage.apiServer.url,
      region: 'us-east-1',
      credentials: OPERATOR_CREDENTIALS,
    };
    sqs = new SQSClient(settings);
    documents = documentClient(new DynamoDBClient(settings));
    await table('tasks');
    await table('control');
    for (const lane of LANES) {
      for (const name of ['dead', ...PRIORITIES]) {
        urls[`${lane}-${name}`] = (await stage.queue(`${lane}-${name}`)).url;
      }
    }
    await stage.role();
    const queues = Object.fromEntries(
      LANES.map((lane) => [lane, Object.fromEntries(PRIORITIES.map((one) => [one, urls[`${lane}-${one}`]]))]),
    );
    const variables = {
      [Env.AGENT]: AGENT,
      [Env.TASKS_TABLE]: 'tasks',
      [Env.CONTROL_TABLE]: 'control',
      [Env.QUEUES]: JSON.stringify(queues),
      [Env.DEAD_LETTER_QUEUES]: JSON.stringify({ stable: urls['stable-dead'], candidate: urls['candidate-dead'] }),
      [Env.TASK_RETENTION_DAYS]: '7',
    };
    await stage.function('support-redrive', readFileSync(BUNDLE, 'utf8'), {
      Timeout: 300,
      Environment: { Variables: variables },
    });
    await stage.function('broken-redrive', readFileSync(BUNDLE, 'utf8'), { Timeout: 60 });
    await stage.function('no-redrive', 'exports.handler = async () => ({ hello: 1 });');
    await stage.function('full-redrive', FULL_QUEUE);
    process.env = {
      ...before,
      AWS_ENDPOINT_URL: stage.apiServer.url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: OPERATOR_CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: OPERATOR_CREDENTIALS.secretAccessKey,
      AWS_SESSION_TOKEN: OPERATOR_CREDENTIALS.sessionToken ?? '',
    };
    writeFileSync(
      outputs,
      JSON.stringify({
        Other: { Url: 'https://example.com' },
        Support: { SupportEndpoint1234ABCD: 'https://…', SupportRedriveFunction0A1B2C3D: 'support-redrive' },
      }),
    );
  });

  afterAll(async () => {
    process.env = before;
    sqs.destroy();
    documents.destroy();
    await stage.close();
    await db.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    lines = [];
    errors = [];
    questions = [];
    answer = undefined;
  });
  afterEach(() => {
    process.exitCode = 0;
  });

  const terminal: InteractiveTerminal = {
    out: (line) => lines.push(line),
    err: (line) => errors.push(line),
    isTTY: false,
    get isInteractive() {
      return answer !== undefined;
    },
    prompt: async (question) => {
      questions.push(question);
      return answer ?? '';
    },
  };

  async function run(...args: string[]): Promise<number | string> {
    process.exitCode = 0;
    const command = redriveCommand(terminal)
      .exitOverride()
      .configureOutput({ writeErr: (text) => errors.push(text), writeOut: (text) => lines.push(text) });
    try {
      await command.parseAsync(args, { from: 'user' });
    } catch (error) {
      return (error as { code: string }).code;
    }
    return Number(process.exitCode ?? 0);
  }

  async function dead(changes: Partial<TaskRecord> = {}): Promise<TaskRecord> {
    sequence += 1;
    const now = Math.floor(clock.now());
    const task: TaskRecord = {
      id: `t-${sequence.toString(16).padStart(32, '0')}`,
      agent: AGENT,
      status: 'failed',
      mode: 'live',
      lane: 'stable',
      priority: 'normal',
      user: 'user-1',
      requestDigest: 'd',
      createdAt: now - 60_000,
      finishedAt: now - 1_000,
      exhausted: true,
      release: RELEASE,
      attempts: 5,
      error: { code: 'provider_error', message: 'the provider answered 500' },
      expiresAt: Math.ceil(now / 1_000) + 86_400,
      ...changes,
    };
    await documents.send(new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.task(task.id), ...task } }));
    await sqs.send(
      new SendMessageCommand({ QueueUrl: urls[`${task.lane}-dead`], MessageBody: JSON.stringify(envelopeOf(task)) }),
    );
    return task;
  }

  async function statusOf(task: TaskRecord): Promise<unknown> {
    const { Item } = await documents.send(new GetCommand({ TableName: 'tasks', Key: TaskKey.task(task.id) }));
    return Item?.status;
  }

  test('lists the tasks in the dead-letter queues as a table, and as JSON', async () => {
    const one = await dead({ user: 'ann\u001b[31m\nb', error: { code: 'odd', message: 'x' } });
    const two = await dead({ lane: 'candidate', status: 'succeeded', error: undefined as never });
    expect(await run('--outputs', outputs)).toBe(0);
    const text = lines.join('\n');
    expect(text).toMatch(
      new RegExp(`${one.id}  stable +normal +ann \\[31m b +failed +${RELEASE} +5 .* odd: x +can be redriven`),
    );
    expect(text).toMatch(new RegExp(`${two.id}  candidate .*obsolete message\n  the task has ended: succeeded`));
    expect(text).toContain('2 entries, 1 can be redriven');
    expect(text).not.toContain('\u001b');

    lines = [];
    expect(await run('--function', 'support-redrive', '--user', one.user, '--json')).toBe(0);
    expect(JSON.parse(lines.join('\n'))).toMatchObject({
      entries: [{ task: one.id, user: one.user, fate: 'redrive', done: false }],
      complete: true,
    });
    expect(errors.join('\n')).toContain('1 entry, 1 can be redriven');
  });

  test('--dry-run changes nothing; --yes redrives without a prompt; a second run finds nothing', async () => {
    const task = await dead({ error: { code: 'worker_lost', message: '' } });
    const args = ['--outputs', outputs, '--stack', 'Support', '--code', 'worker_lost', '--execute'];
    expect(await run(...args, '--dry-run')).toBe(0);
    expect(lines.join('\n')).toContain('can be redriven');
    expect(await statusOf(task)).toBe('failed');
    lines = [];
    expect(await run(...args, '--yes')).toBe(0);
    expect(lines.join('\n')).toContain('redriven to candidate');
    expect(lines.join('\n')).toContain('1 task redriven, 0 obsolete messages removed, 0 failed');
    expect(await statusOf(task)).toBe('queued');
    lines = [];
    expect(await run(...args, '--yes')).toBe(0);
    expect(lines.join('\n')).toContain('0 tasks redriven');
    expect(questions).toEqual([]);
  });

  test('asks for confirmation, and redrives nothing when the operator declines', async () => {
    const task = await dead({ user: 'asked' });
    const args = ['--function', 'support-redrive', '--user', 'asked', '--execute'];
    answer = 'no';
    expect(await run(...args)).toBe(1);
    expect(questions).toEqual(['Redrive 1 task and remove 0 obsolete messages? [y/N] ']);
    expect(lines.join('\n')).toContain(task.id);
    expect(await statusOf(task)).toBe('failed');
    answer = 'y';
    expect(await run(...args)).toBe(0);
    expect(await statusOf(task)).toBe('queued');
  });

  test('does not ask for confirmation when no task matches', async () => {
    answer = 'y';
    expect(await run('--function', 'support-redrive', '--user', 'unknown', '--execute')).toBe(0);
    expect(lines.join('\n')).toContain('nothing to redrive');
    expect(questions).toEqual([]);
  });

  test('passes the filters to the function', async () => {
    const old = await dead({ user: 'old', priority: 'low', finishedAt: clock.now() - 3 * 3_600_000 });
    const other = await dead({ user: 'old', priority: 'low' });
    const listed = async (...args: string[]) => {
      lines = [];
      expect(await run('--function', 'support-redrive', '--user', 'old', '--json', ...args)).toBe(0);
      return (JSON.parse(lines.join('\n')) as { entries: { task: string }[] }).entries.map(({ task }) => task).sort();
    };
    expect(await listed('--older-than', '2h')).toEqual([old.id]);
    expect(await listed('--priority', 'low', '--lane', 'stable', '--release', RELEASE)).toEqual([old.id, other.id]);
    expect(await listed('--priority', 'high')).toEqual([]);
    expect(await listed('--task', other.id)).toEqual([other.id]);
    expect(await listed('--task', other.id, '--task', old.id)).toEqual([old.id, other.id]);
    expect(await listed('--limit', '1')).toHaveLength(1);
  });

  test('invokes the function until every task is redriven, and previews at most 200 tasks', async () => {
    const args = ['--function', 'full-redrive', '--execute'];
    expect(await run(...args, '--limit', '30', '--yes')).toBe(0);
    expect(lines.at(-1)).toMatch(/^30 tasks redriven/);
    lines = [];
    answer = 'yes';
    expect(await run(...args)).toBe(0);
    expect(questions).toEqual(['Redrive these and all other matching tasks? [y/N] ']);
    expect(lines.filter((line) => line.includes('can be redriven'))).toHaveLength(200);
    expect(lines.filter((line) => line.includes('redriven to stable'))).toHaveLength(220);
    expect(lines.at(-1)).toMatch(/^220 tasks redriven/);
  });

  describe('rejects', () => {
    test.each([
      ['no function', [], 'either --function NAME or --outputs FILE'],
      ['two functions', ['--function', 'a', '--outputs', 'b'], 'either --function NAME or --outputs FILE'],
      ['a stack without a file', ['--function', 'a', '--stack', 'b'], '--stack selects a stack of the --outputs file'],
      ['a dry run of a list', ['--function', 'a', '--dry-run'], 'give both'],
      ['--execute without a terminal and without --yes', ['--function', 'a', '--execute'], 'give --yes'],
      ['a malformed task id', ['--function', 'a', '--task', 't-1'], '--task t-1'],
      ['a malformed release id', ['--function', 'a', '--release', 'latest'], '--release latest'],
      ['a missing file', ['--outputs', '/nowhere.json'], '/nowhere.json cannot be read as JSON'],
      ['an unknown stack', ['--outputs', outputs, '--stack', 'X'], 'it has "Other", "Support"'],
      ['a stack without an agent', ['--outputs', outputs, '--stack', 'Other'], 'no output whose name ends with'],
    ])('%s', async (_, args, message) => {
      expect(await run(...args)).toBe(2);
      expect(errors.join('\n')).toContain(message);
      expect(lines).toEqual([]);
    });

    test.each([
      ['an unknown lane', ['--lane', 'shadow'], 'Allowed choices are stable, candidate'],
      ['an unknown unit of time', ['--older-than', '1y'], 'must be a number followed by s, m, h or d'],
      ['both actions', ['--list', '--execute'], 'cannot be used with'],
    ])('%s', async (_, args, message) => {
      expect(await run('--function', 'support-redrive', ...args)).toMatch(/^commander\./);
      expect(errors.join('\n')).toContain(message);
    });

    test('an outputs file with two agents, without --stack', async () => {
      const file = join(folder, 'two.json');
      writeFileSync(file, JSON.stringify({ A: { RedriveFunction: 'a' }, B: { XRedriveFunction01234567: 'b' } }));
      expect(await run('--outputs', file)).toBe(2);
      expect(errors.join('\n')).toContain('more than one agent: A.RedriveFunction, B.XRedriveFunction01234567');
    });
  });

  describe('fails', () => {
    test.each([
      ['when the function does not exist', 'nothing', 'function nothing does not exist in this account and region'],
      ['when the function fails', 'broken-redrive', 'broken-redrive failed: SettingsError'],
      ['when it is another function', 'no-redrive', 'gave an answer that is not one of a redrive function'],
    ])('%s', async (_, name, message) => {
      expect(await run('--function', name)).toBe(3);
      expect(errors.join('\n')).toContain(message);
    });
  });
});
