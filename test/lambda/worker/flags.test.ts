import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { type AgentContext, RetryableError } from '../../../lambda/runtime';
import { Env, type FlagsDocument, TaskKey, TaskMetric, type TaskRecord } from '../../../lib/contract';
import { OPERATOR_CREDENTIALS } from '../../../rehearsal/core/principal';
import { AppConfigWorld } from '../../rehearsal/appconfig/support';
import { Bench } from './support/attempt-harness';
import { TASKS } from './support/task-cloud';

const on = (percent: number): FlagsDocument => ({
  careful: { default: false, variant: true, percent },
  turns: { default: 3, variant: 5, percent },
});

const bench = new Bench();
let world: AppConfigWorld;
let settings: Record<string, string>;

beforeEach(async () => {
  world = await AppConfigWorld.start();
  await world.prepare({ growth: 100 });
  settings = {
    [Env.FLAGS]: JSON.stringify({
      application: world.application,
      environment: world.environment,
      profile: world.profile,
      defaults: { careful: false, turns: 3 },
    }),
    AWS_ACCESS_KEY_ID: OPERATOR_CREDENTIALS.accessKeyId,
    AWS_ENDPOINT_URL_APPCONFIGDATA: world.rig.apiServer.url,
  };
});

afterEach(() => world.stop());

const work = (run: (ctx: AgentContext) => unknown) => bench.work(run, { settings });
const again = (task: TaskRecord, run: (ctx: AgentContext) => unknown) => bench.deliver(task, run, { settings });

/** The metric's values by the flag that they are counted for. */
function byFlag(metric: string): Record<string, unknown> {
  const lines = bench.output
    .metrics()
    .filter((line) =>
      line._aws.CloudWatchMetrics.some(({ Dimensions }) => Dimensions.some((set) => set.includes('Flag'))),
    );
  for (const { _aws } of lines) {
    expect(_aws.CloudWatchMetrics.map(({ Dimensions }) => Dimensions)).toEqual([[['Agent', 'Flag']]]);
  }
  return Object.fromEntries(lines.map((line) => [line.Flag, line[metric]]));
}

test('a task is told of flags, and measured once more for each that it met', async () => {
  await world.deploy(on(100));
  const { record } = await work(async (ctx) => {
    ctx.score(0.5);
    return [await ctx.flags.bool('careful'), await ctx.flags.number('turns'), await ctx.flags.bool('careful')];
  });
  expect(record).toMatchObject({ status: 'succeeded', result: [true, 5, true], flags: { careful: true, turns: 5 } });
  expect(byFlag(TaskMetric.FINISHED)).toEqual({ 'careful=true': 1, 'turns=5': 1 });
  expect(byFlag(TaskMetric.QUALITY)).toEqual({ 'careful=true': 0.5, 'turns=5': 0.5 });
  // What all tasks are counted by stays as it was.
  expect(bench.output.metrics().filter((line) => 'Release' in line && TaskMetric.FINISHED in line)).toHaveLength(1);
});

test('a flag that no agent asked for is not met', async () => {
  await world.deploy(on(100));
  const { record } = await work((ctx) => ctx.flags.bool('careful'));
  expect(record.flags).toEqual({ careful: true });
  expect(Object.keys(byFlag(TaskMetric.FINISHED))).toEqual(['careful=true']);
});

test('a task keeps over its attempts what a flag said to the first, whatever it says by then', async () => {
  await world.deploy(on(100));
  const seen: boolean[] = [];
  const first = await work(async (ctx) => {
    seen.push(await ctx.flags.bool('careful'));
    throw new RetryableError('once more');
  });
  expect(first.record).toMatchObject({ status: 'queued', attempts: 1 });
  await world.deploy(on(0));
  const { record } = await again(first.record, async (ctx) => {
    seen.push(await ctx.flags.bool('careful'));
    return ctx.flags.number('turns');
  });
  expect(seen).toEqual([true, true]);
  expect(record).toMatchObject({ status: 'succeeded', result: 3, flags: { careful: true, turns: 3 } });
  expect(byFlag(TaskMetric.FINISHED)).toEqual({ 'careful=true': 1, 'turns=3': 1 });
});

test('a task that is ended unrun counts for the flags that its earlier attempts met', async () => {
  await world.deploy(on(100));
  const { record } = await work(async (ctx) => {
    await ctx.flags.bool('careful');
    throw new RetryableError('once more');
  });
  const cancelled = { ...record, cancelRequestedAt: 1 };
  await bench.cloud.documents.send(
    new PutCommand({ TableName: TASKS, Item: { ...TaskKey.task(record.id), ...cancelled } }),
  );
  const ended = await again(cancelled, () => 'never');
  expect(ended.record).toMatchObject({ status: 'cancelled', flags: { careful: true } });
  expect(byFlag(TaskMetric.FINISHED)).toEqual({ 'careful=true': 1 });
});

test('the defaults do when AppConfig is away, and no task fails', async () => {
  settings.AWS_ENDPOINT_URL_APPCONFIGDATA = 'http://127.0.0.1:9';
  const { record } = await work(async (ctx) => [await ctx.flags.bool('careful'), await ctx.flags.number('turns')]);
  expect(record).toMatchObject({ status: 'succeeded', result: [false, 3], flags: { careful: false, turns: 3 } });
});

test.each<[string, (ctx: AgentContext) => unknown, string, string]>([
  [
    'a flag that the service does not have',
    (ctx) => ctx.flags.bool('carefull'),
    'flag_unknown',
    'it has "careful", "turns"',
  ],
  ['a flag of another type', (ctx) => ctx.flags.string('careful'), 'flag_type', 'reads it as a string'],
])('fails a task that reads %s', async (_, run, code, message) => {
  await world.deploy(on(0));
  const { record } = await work(run);
  expect(record).toMatchObject({ status: 'failed', error: { code, message: expect.stringContaining(message) } });
});

test('fails a task that reads a flag of a service without any', async () => {
  const { record } = await bench.work((ctx) => ctx.flags.bool('careful'));
  expect(record).toMatchObject({ status: 'failed', error: { code: 'flag_unknown' } });
});

test('fails the first invocation, naming the setting, when it is not what the constructs write', async () => {
  settings[Env.FLAGS] = '{"application":"a"}';
  await expect(work(() => 'never')).rejects.toThrow(`${Env.FLAGS}.environment`);
});
