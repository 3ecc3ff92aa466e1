import { existsSync, rmSync } from 'node:fs';
import { Env, WorkerMetric } from '../../../../lib/contract';
import { workerHealthSchema } from '../../../../lib/contract/agent-protocol';
import { ContainerCloud } from './support/container-cloud';
import { type ContainerProcess, until } from './support/container-process';
import { refused } from './support/ecs-agent';

/** A worker is given three real seconds to stop: 60 of the cloud's at this speed. */
const SPEED = 20;

/** Runs steps of the given real milliseconds in sequence, and reports which of them it ran. */
const STEPPER = `
  import { writeFileSync } from 'node:fs';
  import { defineAgent } from 'cdk-agent-lanes/runtime';
  import { z } from 'zod';

  if (process.env.LOADED !== undefined) {
    writeFileSync(process.env.LOADED, 'loaded');
  }

  export default defineAgent({
    input: z.object({ steps: z.number(), stepMs: z.number(), reject: z.boolean().optional() }),
    settings: z.object({ GREETING: z.string().min(3) }),
    probe: { input: { steps: 1, stepMs: 1 } },
    async run({ input }, ctx) {
      if (input.reject) {
        void Promise.reject(new Error('no code waits for this'));
      }
      for (let step = 1; step <= input.steps; step += 1) {
        await ctx.step('step-' + step, async () => {
          console.log(JSON.stringify({ ran: step, attempt: ctx.task.attempt }));
          await new Promise((resolve) => setTimeout(resolve, input.stepMs));
          return step;
        });
      }
      return { greeting: ctx.settings.GREETING, attempt: ctx.task.attempt };
    },
  });
`;

let cloud: ContainerCloud;
let program: string;

beforeAll(async () => {
  cloud = await ContainerCloud.start(SPEED);
  program = await cloud.bundle('stepper', STEPPER);
});
afterEach(() => cloud.reset());
afterAll(() => cloud.close());

const start = (options: Parameters<ContainerCloud['worker']>[0] = {}) =>
  cloud.worker({ program, ...options, settings: { GREETING: 'hello', ...options.settings } });

const statusOf = async (id: string) => (await cloud.tasks.task(id)).status;

const succeeded = (id: string, worker: ContainerProcess) =>
  until(
    async () => (await statusOf(id)) === 'succeeded',
    () => `task ${id}:\n${worker.text}`,
  );

/** Steps that really ran, in order. */
const ran = (worker: ContainerProcess) => worker.logs().flatMap((line) => ('ran' in line ? [line.ran] : []));

async function health(port: number) {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  return { status: response.status, body: workerHealthSchema.parse(await response.json()) };
}

const sumOf = (worker: ContainerProcess, metric: string) =>
  worker.logs().reduce((sum, line) => sum + (typeof line[metric] === 'number' ? line[metric] : 0), 0);

test('a container runs tasks of its lane, N at a time, under protection, and ends with 0 when it is told to stop', async () => {
  const worker = await start({ concurrency: 3 });
  const tasks = await Promise.all([1, 2, 3, 4, 5].map(() => cloud.submit({ input: { steps: 1, stepMs: 300 } })));
  await until(async () => (await health(worker.port).catch(() => undefined))?.body.tasks === 3, 'three tasks at once');
  expect(cloud.ecs.isProtected).toBe(true);
  expect(await health(worker.port)).toMatchObject({ status: 200, body: { state: 'polling' } });
  for (const { id } of tasks) {
    await succeeded(id, worker);
  }
  await until(() => !cloud.ecs.isProtected, 'the end of the protection');
  worker.signal('SIGTERM');
  expect(await worker.exit).toBe(0);
  expect(cloud.queues.left('stable')).toBe(0);
  expect(worker.logs('container stopped')).toHaveLength(1);
  expect(sumOf(worker, 'TasksSucceeded')).toBe(5);
  expect(cloud.ecs.credentialCalls).toBeGreaterThan(0);
});

test('a task that SIGTERM cuts off is requeued with its steps, and the next container does the rest alone', async () => {
  const first = await start({ stopTimeoutSeconds: 2 });
  const { id } = await cloud.submit({ input: { steps: 4, stepMs: 900 } });
  await until(
    () => ran(first).length === 2,
    () => `the second step:\n${first.text}`,
  );
  first.signal('SIGTERM');
  expect(await first.exit).toBe(0);
  const between = await cloud.tasks.task(id);
  expect(between).toMatchObject({ status: 'queued', attempts: 1, uncounted: 1 });
  expect(sumOf(first, WorkerMetric.REQUEUED)).toBe(1);
  // Its message is there at once, and no receive was used up for it.
  expect(cloud.queues.view('stable-normal')).toMatchObject({ visible: 1, notVisible: 0 });

  const second = await start();
  await succeeded(id, second);
  expect(ran(second)).not.toContain(1);
  const both = [...ran(first), ...ran(second)];
  expect(new Set(both)).toEqual(new Set([1, 2, 3, 4]));
  // The step that was running is the only one that may have begun twice.
  expect(both.length).toBeLessThanOrEqual(5);
  expect(await cloud.tasks.task(id)).toMatchObject({ attempts: 2, result: { attempt: 2 } });
  expect(sumOf(second, WorkerMetric.ABANDONED)).toBe(0);
});

test('a task that ends within the stop timeout is finished, and nothing new is begun meanwhile', async () => {
  const worker = await start({ stopTimeoutSeconds: 120 });
  const { id } = await cloud.submit({ input: { steps: 2, stepMs: 600 } });
  await until(() => ran(worker).length === 1, 'the first step');
  worker.signal('SIGTERM');
  await until(async () => (await health(worker.port)).body.state === 'draining', 'draining');
  const late = await cloud.submit({ input: { steps: 1, stepMs: 1 } });
  expect(await worker.exit).toBe(0);
  expect(await cloud.tasks.task(id)).toMatchObject({ status: 'succeeded', attempts: 1 });
  expect(await cloud.tasks.task(late.id)).toMatchObject({ status: 'queued', attempts: 0 });
});

test('a container that is killed leaves its task to the next one, which counts the attempt as abandoned', async () => {
  const first = await start();
  const { id } = await cloud.submit({ input: { steps: 3, stepMs: 400 } });
  await until(() => ran(first).length === 2, 'the second step');
  first.signal('SIGKILL');
  expect(await first.exit).toBe('SIGKILL');
  const second = await start();
  await succeeded(id, second);
  expect(ran(second)).not.toContain(1);
  expect(await cloud.tasks.task(id)).toMatchObject({ attempts: 2, claimedFrom: 'running' });
  expect(sumOf(second, WorkerMetric.ABANDONED)).toBe(1);
  expect(second.logs('lease of the last attempt expired without a report')).toHaveLength(1);
});

test('what ECS refuses to protect is not run', async () => {
  cloud.ecs.answer = () => refused('DEPLOYMENT_BLOCKED');
  const worker = await start();
  const { id } = await cloud.submit({ input: { steps: 1, stepMs: 1 } });
  await until(
    () => worker.logs('ECS refused to change the scale-in protection').length > 0,
    () => worker.text,
  );
  await until(() => cloud.queues.view('stable-normal').visible === 1, 'the message to be returned');
  expect(await statusOf(id)).toBe('queued');
  cloud.ecs.answer = ({ body }) => ({ body: { protection: body } });
  await succeeded(id, worker);
});

test('an unhandled rejection is logged, and its neighbors continue', async () => {
  const worker = await start();
  const tasks = [
    await cloud.submit({ input: { steps: 1, stepMs: 300, reject: true } }),
    await cloud.submit({ input: { steps: 1, stepMs: 300 } }),
  ];
  for (const { id } of tasks) {
    await succeeded(id, worker);
  }
  expect(worker.logs('unhandled promise rejection')).toMatchObject([{ reason: 'no code waits for this' }]);
});

test('the health check says how the worker is, and does not load the agent for it', async () => {
  const marker = `${program}.loaded`;
  const worker = await start({ settings: { LOADED: marker } });
  await until(async () => (await health(worker.port).catch(() => undefined))?.status === 200, 'the worker');
  expect(existsSync(marker)).toBe(true);
  rmSync(marker);
  const check = (port: number) =>
    cloud.start([process.execPath, program, 'health'], { [Env.WORKER_PORT]: String(port), LOADED: marker });
  const healthy = check(worker.port);
  expect(await healthy.exit).toBe(0);
  expect(healthy.text).toContain('"state":"polling"');
  worker.signal('SIGTERM');
  await worker.exit;
  const gone = check(worker.port);
  expect(await gone.exit).toBe(1);
  expect(gone.text).toContain('ECONNREFUSED');
  expect(existsSync(marker)).toBe(false);
});

describe('settings that are missing or wrong', () => {
  test.each([
    [
      'of the library',
      { [Env.CONTROL_TABLE]: undefined, [Env.CONCURRENCY]: '0' },
      [Env.CONTROL_TABLE, Env.CONCURRENCY],
    ],
    ['a stop timeout beyond what Fargate has', { [Env.STOP_TIMEOUT_SECONDS]: '121' }, [Env.STOP_TIMEOUT_SECONDS]],
    ['shares that do not sum to 1', { [Env.PRIORITY_SHARES]: '{"high":1,"normal":1,"low":1}' }, [Env.PRIORITY_SHARES]],
    ['no port', { [Env.WORKER_PORT]: '70000' }, [Env.WORKER_PORT]],
  ])('end the container with 78 and one line that names them: %s', async (_, settings, names) => {
    const worker = await start({ settings });
    expect(await worker.exit).toBe(78);
    expect(worker.lines).toHaveLength(1);
    for (const name of names) {
      expect(worker.text).toContain(name);
    }
  });

  test('of the agent end a container of the stable lane at once', async () => {
    const worker = await start({ settings: { GREETING: 'no' } });
    const { id } = await cloud.submit({ input: { steps: 1, stepMs: 1 } });
    expect(await worker.exit).toBe(78);
    expect(worker.logs('settings of the agent: GREETING is malformed')).toHaveLength(1);
    expect(await cloud.tasks.task(id)).toMatchObject({ status: 'queued', attempts: 0 });
  });

  test('of the agent are told to the preflight by a container of the candidate lane, which runs nothing else', async () => {
    const live = await cloud.submit({ lane: 'candidate', priority: 'high', input: { steps: 1, stepMs: 1 } });
    const worker = await start({ lane: 'candidate', settings: { GREETING: undefined } });
    await until(
      async () => (await health(worker.port).catch(() => undefined))?.body.state === 'unhealthy',
      () => worker.text,
    );
    expect((await health(worker.port)).status).toBe(503);
    const probe = await cloud.submit({ lane: 'candidate', priority: 'high', mode: 'probe', input: null });
    expect(await worker.exit).toBe(78);
    expect(await cloud.tasks.task(probe.id)).toMatchObject({ status: 'failed', error: { code: 'probe_failed' } });
    expect((await cloud.tasks.task(probe.id)).error?.message).toContain('GREETING is missing');
    expect(await cloud.tasks.task(live.id)).toMatchObject({ status: 'queued', attempts: 0 });
  });
});

test('a module whose default export is no agent ends the container, with what was expected', async () => {
  const wrong = await cloud.bundle('wrong', 'export default { run: () => 1 };');
  const worker = await cloud.worker({ program: wrong });
  expect(await worker.exit).toBe(1);
  expect(worker.logs('container crashed')).toMatchObject([
    { reason: expect.stringContaining('export default defineAgent({ … })') },
  ]);
});
