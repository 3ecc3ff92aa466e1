import { z } from 'zod';
import { type Expectation, judgeProbe } from '../../../lambda/functions/preflight/judge-probe';
import { defineAgent } from '../../../lambda/runtime';
import { createHandler } from '../../../lambda/worker';
import { probeResultSchema } from '../../../lib/contract';
import { Bench } from './support/attempt-harness';
import { context, messageFor, RELEASE } from './support/task-cloud';

const bench = new Bench();

/** An agent that cannot do without the address of its customer records. */
const agent = () =>
  defineAgent({
    input: z.json(),
    settings: z.object({ CRM_URL: z.url(), CRM_PAGE: z.coerce.number().int().positive() }),
    probe: { input: { question: 'are you there?' } },
    run: async (_, ctx) => `${new URL(ctx.settings.CRM_URL).host} by ${ctx.settings.CRM_PAGE.toFixed(0)}`,
  });

const LINE =
  /^settings of the agent: CRM_URL is malformed: Invalid URL; CRM_PAGE is missing: [^\n]+environment of WorkerSpec\.lambda\)$/;

/** A log must not contain the URL of an intranet. */
const MALFORMED = 'intranet-of-acme';

test('reach the agent, checked and typed', async () => {
  Object.assign(process.env, { CRM_URL: 'https://crm.example.com/v2', CRM_PAGE: '20' });
  const task = await bench.cloud.putTask();
  await createHandler(agent())({ Records: [messageFor(task)] }, context());
  expect(await bench.cloud.task(task.id)).toMatchObject({ status: 'succeeded', result: 'crm.example.com by 20' });
});

test('fails every invocation while a setting is missing or malformed, and leaves the task as it is', async () => {
  process.env.CRM_URL = MALFORMED;
  const task = await bench.cloud.putTask();
  const handler = createHandler(agent());
  for (const _ of ['first', 'second']) {
    const error = await handler({ Records: [messageFor(task)] }, context()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'SettingsError', message: expect.stringMatching(LINE) });
    expect(String(error)).not.toContain(MALFORMED);
  }
  expect(await bench.cloud.task(task.id)).toMatchObject({ status: 'queued', attempts: 0 });
  expect(bench.cloud.queueCalls).toEqual([]);
});

describe('the probe of a release', () => {
  const TRACE = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1';

  async function probe() {
    const task = await bench.cloud.putTask({ mode: 'probe', lane: 'candidate', priority: 'high', input: null });
    const { batchItemFailures } = await createHandler(agent())(
      { Records: [messageFor(task, { trace: TRACE })] },
      context(),
    );
    expect(batchItemFailures).toEqual([]);
    return bench.cloud.task(task.id);
  }

  const expected: Expectation = { release: RELEASE, traceHeader: TRACE };

  test('fails on its settings, and the preflight says which one before there is traffic', async () => {
    process.env.CRM_URL = MALFORMED;
    const record = await probe();
    const verdict = judgeProbe(record, expected);
    expect(verdict.passed).toBe(false);
    expect(verdict.reason).toContain('check settings failed: settings of the agent: CRM_URL is malformed');
    expect(verdict.reason).toContain('CRM_PAGE is missing');
    expect(JSON.stringify(record)).not.toContain(MALFORMED);
    // The agent itself would fail for want of them: what else there is to know comes from its model.
    expect(probeResultSchema.parse(record.result).checks.map(({ name, ok }) => [name, ok])).toEqual([
      ['behavior', true],
      ['settings', false],
      ['secret:anthropic', true],
      ['sessions', true],
      ['model', true],
    ]);
  });

  test('passes with them', async () => {
    Object.assign(process.env, { CRM_URL: 'https://crm.example.com', CRM_PAGE: '20' });
    const record = await probe();
    expect(judgeProbe(record, expected)).toMatchObject({ passed: true });
    expect(probeResultSchema.parse(record.result).checks.map(({ name }) => name)).toEqual([
      'behavior',
      'settings',
      'secret:anthropic',
      'sessions',
      'agent',
    ]);
  });
});

test('a batch with a task beside a probe fails as a whole: the task must not be taken for done', async () => {
  const live = await bench.cloud.putTask();
  const probeTask = await bench.cloud.putTask({ mode: 'probe', lane: 'candidate' });
  const Records = [messageFor(probeTask), messageFor(live)];
  await expect(createHandler(agent())({ Records }, context())).rejects.toThrow('CRM_URL is missing');
});
