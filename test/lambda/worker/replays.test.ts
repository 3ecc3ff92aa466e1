import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { type AgentContext, RetryableError } from '../../../lambda/runtime';
import { Env, TaskKey, WorkerMetric } from '../../../lib/contract';
import { XRayDaemon } from '../shared/support/xray-daemon';
import { Bench } from './support/attempt-harness';
import { KEY, modelMessage, RELEASE, TASKS } from './support/task-cloud';

const bench = new Bench();

const ROOT = '1-5759e988-bd862e3fe1be46a994272793';
const TRACE = `Root=${ROOT};Parent=53995c3f42cd8ad8;Sampled=1`;

/** Three questions to the model; what comes before the third of the first attempt is up to the test. */
const threeQuestions = (beforeThird: () => unknown) => async (ctx: AgentContext) => {
  const answers: string[] = [];
  for (const prompt of ['one', 'two', 'three']) {
    if (prompt === 'three' && ctx.task.attempt === 1) {
      await beforeThird();
    }
    answers.push((await ctx.model.generate({ prompt })).text);
  }
  return answers;
};

beforeEach(() => {
  let answers = 0;
  bench.cloud.model = () => {
    answers += 1;
    return { body: modelMessage(`answer ${answers}`) };
  };
});

test('an attempt that is repeated asks the model only what was not answered', async () => {
  const run = threeQuestions(() => {
    throw new RetryableError('not now');
  });
  const first = await bench.work(run);
  expect(first).toMatchObject({ deleted: false, record: { status: 'queued', usage: { modelCalls: 2 } } });
  const second = await bench.deliver(first.record, run, { receives: 2 });
  expect(second).toMatchObject({
    deleted: true,
    record: {
      status: 'succeeded',
      attempts: 2,
      result: ['answer 1', 'answer 2', 'answer 3'],
      usage: { modelCalls: 3, inputTokens: 300, outputTokens: 60 },
    },
  });
  expect(bench.cloud.stubs.model.requests).toHaveLength(3);
  expect(bench.metric(WorkerMetric.REPLAYED_STEPS)).toEqual([2]);
});

test('a worker that is killed after the second step costs no more than the third', async () => {
  bench.fast(30);
  let letGo = () => {};
  const reached = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const run = threeQuestions(() => {
    letGo();
    return new Promise(() => {});
  });
  const task = await bench.cloud.putTask();
  const killed = bench.deliver(task, run);
  await reached;
  const record = await bench.cloud.task(task.id);
  expect(record).toMatchObject({ status: 'running', attempts: 1 });
  expect(record.usage).toBeUndefined();
  const lease = { token: record.lease?.token ?? '', expiresAt: 1 };
  await bench.cloud.documents.send(
    new PutCommand({ TableName: TASKS, Item: { ...TaskKey.task(task.id), ...record, lease } }),
  );
  const second = await bench.deliver(task, run, { receives: 2 });
  expect(second.record).toMatchObject({
    status: 'succeeded',
    attempts: 2,
    result: ['answer 1', 'answer 2', 'answer 3'],
    usage: { modelCalls: 3, inputTokens: 300 },
  });
  expect(bench.cloud.stubs.model.requests).toHaveLength(3);
  await killed;
  expect(await bench.cloud.task(task.id)).toEqual(second.record);
});

test('a large value of a step goes to the payload bucket over the wire, and comes back', async () => {
  const text = 'x'.repeat(40_000);
  let ran = 0;
  const run = async (ctx: AgentContext) => {
    const found = await ctx.step('load', () => {
      ran += 1;
      return { text };
    });
    if (ctx.task.attempt === 1) {
      throw new RetryableError('not now');
    }
    return found.text.length;
  };
  const first = await bench.work(run);
  expect([...bench.cloud.payloads.keys()]).toEqual([expect.stringContaining(`tasks/${first.record.id}/steps/`)]);
  expect((await bench.deliver(first.record, run, { receives: 2 })).record).toMatchObject({ result: 40_000 });
  expect(ran).toBe(1);
});

test('transcripts go to the payload bucket where they are on', async () => {
  const { record } = await bench.work((ctx) => ctx.model.generate({ prompt: 'why?' }), {
    settings: { [Env.TRANSCRIPTS]: 'on' },
  });
  const text = bench.cloud.payloads.get(`transcripts/${record.id}/001-0001.json`);
  expect(JSON.parse(text ?? 'null')).toMatchObject({ request: { prompt: 'why?' }, answer: { text: 'answer 1' } });
});

test('a task, its model calls and its tools are one trace, and every line of their log names it', async () => {
  const daemon = await XRayDaemon.start();
  const { record } = await bench.work(
    async (ctx) => {
      await ctx.tool('search', { q: 'x' }, () => 'notes');
      await ctx.model.generate({ prompt: 'why?' });
    },
    { trace: TRACE, settings: { AWS_XRAY_DAEMON_ADDRESS: daemon.address } },
  );
  const { support, search, anthropic } = await daemon.documents(3);
  await daemon.close();
  expect(support).toMatchObject({
    trace_id: ROOT,
    parent_id: '53995c3f42cd8ad8',
    annotations: { task: record.id, release: RELEASE, lane: 'stable', attempt: 1, outcome: 'succeeded' },
  });
  for (const part of [search, anthropic]) {
    expect(part).toMatchObject({ trace_id: ROOT, parent_id: support?.id, type: 'subsegment' });
  }
  for (const line of ['task claimed', 'tool answered', 'model answered', 'step begun', 'task finished']) {
    expect(bench.output.log(line)).toMatchObject({ trace: ROOT });
  }
});

test('a trace shows what failed, and no secret', async () => {
  const daemon = await XRayDaemon.start();
  await bench.work(
    async (ctx) => {
      const key = await ctx.secret('anthropic');
      await ctx.tool('search', { q: 'x' }, () => {
        throw new Error(`refused with ${key}`);
      });
    },
    { trace: TRACE, settings: { AWS_XRAY_DAEMON_ADDRESS: daemon.address } },
  );
  const { support, search } = await daemon.documents(2);
  await daemon.close();
  expect(search).toMatchObject({ fault: true, cause: { exceptions: [{ message: 'refused with ***' }] } });
  expect(support).toMatchObject({ fault: true, annotations: { outcome: 'failed' } });
  expect(JSON.stringify(support)).not.toContain(KEY);
});
