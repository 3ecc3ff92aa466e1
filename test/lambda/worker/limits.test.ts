import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { RetryableError } from '../../../lambda/runtime';
import { BudgetMetric, ControlKey, Env, MAX_WAITS, ModelMetric, sha256 } from '../../../lib/contract';
import { Bench, type Run } from './support/attempt-harness';
import { CONTROL } from './support/task-cloud';

const bench = new Bench();

/** By the prices and tokens of the cloud's model. */
const CALL = 0.0002;
const DAY_SECONDS = 86_400;

const today = () => new Date().toISOString().slice(0, 10);
const ask: Run = async (ctx) => (await ctx.model.generate({ prompt: 'why?' })).text;
const budgets = (settings: Record<string, number>) => ({
  [Env.BUDGETS]: JSON.stringify({ onExceeded: 'refuse', ...settings }),
});

async function spent(user?: string): Promise<number> {
  const key = user === undefined ? ControlKey.agentBudget(today()) : ControlKey.userBudget(today(), sha256(user));
  const { Item } = await bench.cloud.documents.send(new GetCommand({ TableName: CONTROL, Key: key }));
  return Item?.dollars ?? 0;
}

async function put(key: { readonly pk: string; readonly sk: string }, item: Record<string, number>): Promise<void> {
  await bench.cloud.documents.send(new PutCommand({ TableName: CONTROL, Item: { ...key, ...item } }));
}

/** Seconds until midnight UTC. */
const untilTomorrow = () => DAY_SECONDS - ((Date.now() / 1000) % DAY_SECONDS);

describe('budgets', () => {
  const settings = budgets({ agentPerDay: 1, userPerDay: 0.001 });

  beforeEach(() => put(ControlKey.agentBudget(today()), { dollars: 0 }));

  test('what a task cost is counted for the agent and the user, and measured', async () => {
    await bench.work(ask, { task: { user: 'counted' }, settings });
    expect(await spent()).toBeCloseTo(CALL, 10);
    expect(await spent('counted')).toBeCloseTo(CALL, 10);
    expect(bench.metric(BudgetMetric.AGENT_USED)).toEqual([expect.closeTo(0.02, 6)]);
    expect(bench.metric(BudgetMetric.USER_USED)).toEqual([expect.closeTo(20, 6)]);
  });

  test('a failed attempt is counted, and the next one counts only what it adds', async () => {
    let attempts = 0;
    const run: Run = async (ctx) => {
      attempts += 1;
      await ctx.model.generate({ prompt: 'first' });
      if (attempts === 1) {
        throw new RetryableError('the warehouse is away');
      }
      await ctx.model.generate({ prompt: 'second' });
      return 'done';
    };
    const { record } = await bench.work(run, { task: { user: 'again' }, settings });
    expect(await spent('again')).toBeCloseTo(CALL, 10);
    await bench.deliver(record, run, { settings });
    expect(await spent('again')).toBeCloseTo(2 * CALL, 10);
  });

  test('the log names the task whose user has spent four fifths of a budget, and none before', async () => {
    const nearly = () => bench.output.logs().filter(({ outcome }) => outcome === 'nearly_used_up');
    for (const [before, expected] of [
      [0.0005, []],
      [0.0006, [expect.objectContaining({ component: 'budget', percent: 80 })]],
    ] as const) {
      const user = `near-${before}`;
      await put(ControlKey.userBudget(today(), sha256(user)), { dollars: before });
      await bench.work(ask, { task: { user }, settings });
      expect(nearly()).toEqual(expected);
    }
  });

  test('shadow tasks count for the agent and not for the user', async () => {
    await bench.work(ask, { task: { user: 'shadowed', mode: 'shadow' }, settings });
    expect(await spent()).toBeCloseTo(CALL, 10);
    expect(await spent('shadowed')).toBe(0);
  });

  test('a task waits for the next day when its user’s budget is used up', async () => {
    await put(ControlKey.userBudget(today(), sha256('over')), { dollars: 0.001 });
    const { record, deleted } = await bench.work(ask, { task: { user: 'over' }, settings });
    expect(deleted).toBe(false);
    expect(record).toMatchObject({ status: 'queued', uncounted: 1 });
    expect(record.waits).toBeUndefined();
    expect(bench.cloud.stubs.model.requests).toEqual([]);
    expect(bench.metric(BudgetMetric.EXCEEDED)).toEqual([1]);
    // SQS hides for less than a day: then the task looks again.
    expect(bench.cloud.hidden()[0]).toBeGreaterThanOrEqual(Math.min(11 * 3_600, untilTomorrow()) - 5);
  });

  test('a task whose own calls use the budget up waits at the next one, and keeps what it has', async () => {
    let finished = 0;
    const run: Run = async (ctx) => {
      for (let call = 0; call < 3; call += 1) {
        await ctx.model.generate({ prompt: `call ${call}` });
        finished += 1;
      }
    };
    const { record } = await bench.work(run, {
      task: { user: 'midway' },
      settings: budgets({ userPerDay: 1.5 * CALL }),
    });
    expect(record.status).toBe('queued');
    expect(finished).toBe(2);
    expect(bench.cloud.stubs.model.requests).toHaveLength(2);
    const retry = await bench.deliver(record, run, { settings: budgets({ userPerDay: 1 }) });
    expect(retry.record.status).toBe('succeeded');
    expect(bench.cloud.stubs.model.requests).toHaveLength(3);
  });

  test('however often a task waited for a budget, it continues', async () => {
    await put(ControlKey.userBudget(today(), sha256('patient')), { dollars: 1 });
    const { record } = await bench.work(ask, { task: { user: 'patient', waits: MAX_WAITS }, settings });
    expect(record.status).toBe('queued');
  });
});

describe('shared limits', () => {
  const settings = { [Env.RATE_LIMITS]: JSON.stringify({ anthropic: { requestsPerMinute: 60 } }) };
  const limit = ControlKey.rateLimit('anthropic', 'requests');

  test('a task takes its share before it calls', async () => {
    const before = Date.now();
    const { record } = await bench.work(ask, { settings });
    expect(record.status).toBe('succeeded');
    const { Item } = await bench.cloud.documents.send(new GetCommand({ TableName: CONTROL, Key: limit }));
    expect(Item?.spokenForUntil).toBeGreaterThanOrEqual(before + 1_000);
  });

  test('a task that would have to wait for long waits in its queue, however often it did', async () => {
    await put(limit, { spokenForUntil: Date.now() + 60_000 });
    const { record, deleted } = await bench.work(ask, { task: { waits: MAX_WAITS }, settings });
    expect(deleted).toBe(false);
    expect(record).toMatchObject({ status: 'queued', uncounted: 1, waits: MAX_WAITS });
    expect(bench.cloud.stubs.model.requests).toEqual([]);
    expect(bench.metric(ModelMetric.RATE_LIMIT_WAIT)).toEqual([1]);
    expect(bench.cloud.hidden()[0]).toBeGreaterThanOrEqual(50);
    expect(bench.cloud.hidden()[0]).toBeLessThanOrEqual(90);
  });
});
