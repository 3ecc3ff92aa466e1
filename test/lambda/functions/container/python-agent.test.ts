import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { TaskKey } from '../../../../lib/contract';
import { behaviorDocument, modelMessage, TASKS } from '../../worker/support/task-cloud';
import { ContainerCloud, type WorkerOptions } from './support/container-cloud';
import { type ContainerProcess, freePort, until } from './support/container-process';

const AGENT = join(__dirname, '../../../../examples/python-agent/agent.py');
const SPEED = 20;

/** The behavior of examples/python-agent. */
const BEHAVIOR = behaviorDocument({
  prompts: { report: 'Report on {{topic}}:\n{{notes}}' },
  tools: { read: { type: 'object', properties: { source: { type: 'string', minLength: 1 } }, required: ['source'] } },
  limits: { ...behaviorDocument().limits, maxToolCalls: 8, maxDurationMs: 60_000 },
});

const hasPython = spawnSync('python3', ['--version']).status === 0;

(hasPython ? describe : describe.skip)('the agent in Python beside a worker (skipped without python3)', () => {
  let cloud: ContainerCloud;

  beforeAll(async () => {
    cloud = await ContainerCloud.start(SPEED);
  });
  beforeEach(() => {
    cloud.tasks.s3 = () => ({ body: BEHAVIOR });
    cloud.tasks.model = () => ({ body: modelMessage('all is well') });
  });
  afterEach(() => cloud.reset());
  afterAll(() => cloud.close());

  /** An ECS task: the agent's container, and the worker's beside it. */
  async function start({ readSeconds = 0.05, ...options }: WorkerOptions & { readonly readSeconds?: number } = {}) {
    const agentPort = await freePort();
    const agent = cloud.start(['python3', AGENT], {
      PORT: String(agentPort),
      READ_SECONDS: String(readSeconds),
      PYTHONDONTWRITEBYTECODE: '1',
    });
    return { agent, worker: await cloud.worker({ agentPort, ...options }) };
  }

  const submit = (sources: readonly string[], more = {}) =>
    cloud.submit({ input: { topic: 'ships', sources: [...sources] }, ...more });

  const ends = (id: string, worker: ContainerProcess) =>
    until(
      async () => !['queued', 'running'].includes((await cloud.tasks.task(id)).status),
      () => `the end of ${id}:\n${worker.text}`,
    );

  /** Sources that the agent really read, in order. */
  const read = (agent: ContainerProcess) => agent.logs('read').map(({ source }) => source);

  test('does a task with steps, a tool, a prompt and a model, all counted by the worker', async () => {
    const { agent, worker } = await start();
    const { id } = await submit(['a', 'b']);
    await ends(id, worker);
    expect(await cloud.tasks.task(id)).toMatchObject({
      status: 'succeeded',
      attempts: 1,
      result: { report: 'all is well', sources: 2 },
      usage: { toolCalls: 2, modelCalls: 1, inputTokens: 100, outputTokens: 20 },
      score: 1,
    });
    expect(read(agent)).toEqual(['a', 'b']);
    expect(cloud.tasks.stubs.model.requests[0]?.text).toContain(
      '1. a\\n2. b\\na has 1 characters\\nb has 1 characters',
    );
    worker.signal('SIGTERM');
    expect(await worker.exit).toBe(0);
    agent.signal('SIGTERM');
    expect(await agent.exit).toBe(0);
  });

  test('does several at once', async () => {
    const { worker } = await start({ concurrency: 4, readSeconds: 0.4 });
    const tasks = await Promise.all(['a', 'b', 'c', 'd'].map((source) => submit([source])));
    await until(
      () => worker.logs('tool answered').length === 4,
      () => worker.text,
    );
    for (const { id } of tasks) {
      await ends(id, worker);
      expect((await cloud.tasks.task(id)).status).toBe('succeeded');
    }
  });

  test('gets to a checkpoint when its worker is told to stop; another reads the rest, and nothing twice', async () => {
    const sources = ['a', 'b', 'c', 'd'];
    const first = await start({ readSeconds: 0.5 });
    const { id } = await submit(sources);
    await until(
      () => read(first.agent).length === 2,
      () => first.worker.text,
    );
    first.worker.signal('SIGTERM');
    expect(await first.worker.exit).toBe(0);
    expect(await cloud.tasks.task(id)).toMatchObject({ status: 'queued', attempts: 1, uncounted: 1 });
    expect(first.worker.logs('the task was requeued')).toMatchObject([{ code: 'worker_stopping' }]);
    // It ended its step, and took the checkpoint before the time was up.
    expect(first.worker.logs('tasks did not end in time')).toEqual([]);
    first.agent.signal('SIGTERM');
    expect(await first.agent.exit).toBe(0);

    const second = await start();
    await ends(id, second.worker);
    expect(await cloud.tasks.task(id)).toMatchObject({ status: 'succeeded', attempts: 2, usage: { toolCalls: 4 } });
    expect([...read(first.agent), ...read(second.agent)]).toEqual(sources);
  });

  test('that is killed during a task costs an attempt, and the next container continues from its steps', async () => {
    const first = await start({ readSeconds: 0.5 });
    const { id } = await submit(['a', 'b', 'c']);
    await until(
      () => read(first.agent).length === 2,
      () => first.worker.text,
    );
    first.agent.signal('SIGKILL');
    await until(
      () => first.worker.logs('the attempt failed').length > 0,
      () => first.worker.text,
    );
    expect(first.worker.logs('the attempt failed')).toMatchObject([{ code: 'agent_unreachable' }]);
    // No supervisor replaces the agent here: the worker sees that it is gone, takes no more tasks, and ends for it.
    expect(await first.worker.exit).toBe(69);
    expect(await cloud.tasks.task(id)).toMatchObject({ status: 'queued', attempts: 1 });
    expect((await cloud.tasks.task(id)).uncounted).toBeUndefined();

    const second = await start();
    await ends(id, second.worker);
    expect(await cloud.tasks.task(id)).toMatchObject({ status: 'succeeded', attempts: 2 });
    expect(read(second.agent)).not.toContain('a');
  });

  test('stops working on a task that is cancelled', async () => {
    const { agent, worker } = await start({ readSeconds: 0.3 });
    const sources = Array.from({ length: 8 }, (_, index) => `s${index}`);
    const { id } = await submit(sources);
    await until(
      () => read(agent).length === 1,
      () => worker.text,
    );
    await cloud.tasks.documents.send(
      new UpdateCommand({
        TableName: TASKS,
        Key: TaskKey.task(id),
        UpdateExpression: 'SET cancelRequestedAt = :now',
        ExpressionAttributeValues: { ':now': cloud.clock.now() },
      }),
    );
    await ends(id, worker);
    expect((await cloud.tasks.task(id)).status).toBe('cancelled');
    const readBefore = read(agent).length;
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(read(agent).length).toBeLessThanOrEqual(readBefore + 1);
    expect(read(agent).length).toBeLessThan(sources.length);
  });

  test('is cut off at the limits of the release', async () => {
    const { worker } = await start();
    const { id } = await submit(Array.from({ length: 9 }, (_, index) => `s${index}`));
    await ends(id, worker);
    expect(await cloud.tasks.task(id)).toMatchObject({
      status: 'failed',
      error: { code: 'limit_exceeded' },
      usage: { toolCalls: 8 },
    });
  });

  test('fails a task with an input that is not its own, and passes on what the worker refuses', async () => {
    const { worker } = await start();
    const wrong = await cloud.submit({ input: { question: 'why?' } });
    await ends(wrong.id, worker);
    expect(await cloud.tasks.task(wrong.id)).toMatchObject({ status: 'failed', error: { code: 'invalid_input' } });
    const refused = await submit(['']);
    await ends(refused.id, worker);
    expect(await cloud.tasks.task(refused.id)).toMatchObject({ status: 'failed', error: { code: 'tool_input' } });
  });

  test('is tried with a small task of its own before a release gets traffic', async () => {
    const { agent, worker } = await start({ lane: 'candidate' });
    const { id } = await cloud.submit({ mode: 'probe', lane: 'candidate', priority: 'high', input: null });
    await ends(id, worker);
    expect((await cloud.tasks.task(id)).status).toBe('succeeded');
    expect(read(agent)).toEqual(['probe']);
  });
});

(hasPython ? test : test.skip)('the example parses as Python (skipped without python3)', () => {
  const parsed = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(open(sys.argv[1]).read())', AGENT]);
  expect(parsed.stderr.toString()).toBe('');
  expect(parsed.status).toBe(0);
});
