import { RoutingView } from '../../../../lambda/shared/routing/routing-view';
import { OPENING_DELAY_MS } from '../../../../lambda/shared/routing/valve-update';
import type { AliasSnapshot } from '../../../../lib/contract';
import { CLOSED, IN_PROGRESS, MemoryRouting, shifting, valve } from '../../functions/router/support';
import { awsError, FakeClock, START } from '../support/fakes';

function setUp(store: MemoryRouting, random = 0) {
  const clock = new FakeClock();
  const alias = { seen: CLOSED as AliasSnapshot, looks: 0, failure: undefined as Error | undefined, takes: 0 };
  const problems: string[] = [];
  const view = new RoutingView({
    store,
    clock,
    random: () => random,
    alias: async () => {
      alias.looks += 1;
      clock.time += alias.takes;
      if (alias.failure !== undefined) {
        throw alias.failure;
      }
      return alias.seen;
    },
    onProblem: (message) => problems.push(message),
  });
  return { alias, clock, problems, view };
}

test('without a rollout the alias is never looked at, and the items are read every five seconds', async () => {
  const store = new MemoryRouting({ promoted: IN_PROGRESS.promoted });
  const { alias, clock, view } = setUp(store);
  for (const passed of [0, 1, 5_000, 5_001, 5_002]) {
    clock.time = START + passed;
    await expect(view.current()).resolves.toEqual(store.state);
  }
  expect(store.reads).toBe(2);
  expect(alias.looks).toBe(0);
});

test('the first router to see a rollout looks at once and writes what it saw', async () => {
  const store = new MemoryRouting(IN_PROGRESS);
  const { alias, view } = setUp(store);
  alias.seen = shifting(0.1);
  expect((await view.current())?.valve).toMatchObject({ rolloutId: 'rollout-1', current: shifting(0.1), sequence: 0 });
  expect(store.writes).toHaveLength(1);
});

test.each([
  [0, 15_000],
  [0.999_999, 30_000],
])('with a draw of %d the alias is looked at again after %d ms', async (random, after) => {
  const store = new MemoryRouting({ ...IN_PROGRESS, valve: valve() });
  const { alias, clock, view } = setUp(store, random);
  clock.time = START + after - 1;
  await view.current();
  expect(alias.looks).toBe(0);
  clock.time = START + after + 6_000;
  await view.current();
  expect(alias.looks).toBe(1);
});

test('a fleet looks at the alias about twice a minute, not once per router', async () => {
  const store = new MemoryRouting(IN_PROGRESS);
  const fleet = Array.from({ length: 50 }, (_, index) => setUp(store, index / 50));
  for (let second = 0; second < 600; second += 1) {
    for (const { clock, view } of fleet) {
      clock.time = START + second * 1_000;
      await view.current();
    }
  }
  const looks = fleet.reduce((sum, { alias }) => sum + alias.looks, 0);
  expect(looks).toBeGreaterThanOrEqual(600 / 35);
  expect(looks).toBeLessThanOrEqual(600 / 15 + 1);
});

test('who comes second takes over what the first wrote', async () => {
  const store = new MemoryRouting(IN_PROGRESS);
  const { alias, problems, view } = setUp(store);
  alias.seen = shifting(0.2);
  const first = valve({ current: shifting(0.1), sequence: 0 });
  store.onWrite = async () => {
    store.state = { ...store.state, valve: first };
  };
  expect((await view.current())?.valve).toEqual(first);
  expect(store.writes).toEqual([]);
  expect(problems).toEqual([]);
});

test('fails to read: goes by the last items, and tries again after five seconds', async () => {
  const store = new MemoryRouting({ promoted: IN_PROGRESS.promoted });
  const { clock, problems, view } = setUp(store);
  const known = await view.current();
  store.failure = awsError('InternalServerError', 500);
  clock.time += 6_000;
  await expect(view.current()).resolves.toBe(known);
  clock.time += 4_999;
  await expect(view.current()).resolves.toBe(known);
  expect(store.reads).toBe(2);
  clock.time += 1;
  store.failure = undefined;
  store.state = {};
  await expect(view.current()).resolves.toEqual({});
  expect(problems).toEqual(['routing items could not be read: going by the last ones']);
});

test('fails to read at all: the items are unknown', async () => {
  const store = new MemoryRouting({});
  store.failure = awsError('InternalServerError', 500);
  await expect(setUp(store).view.current()).resolves.toBeUndefined();
});

test('fails to look at the alias: goes by the last look, and looks again with the next read only', async () => {
  const store = new MemoryRouting({ ...IN_PROGRESS, valve: valve({ checkedAt: START - 40_000 }) });
  const { alias, clock, problems, view } = setUp(store);
  alias.failure = awsError('TooManyRequestsException');
  for (const passed of [0, 1_000, 5_000, 5_001]) {
    clock.time = START + passed;
    await expect(view.current()).resolves.toEqual(store.state);
  }
  expect(alias.looks).toBe(2);
  expect(problems).toHaveLength(2);
});

test('fails to write what it saw: does not go by it', async () => {
  const store = new MemoryRouting(IN_PROGRESS);
  store.onWrite = () => Promise.reject(awsError('ThrottlingException'));
  const { alias, view } = setUp(store);
  alias.seen = shifting(1);
  await expect(view.current()).resolves.toEqual(IN_PROGRESS);
});

test('a look that took long is followed by another read', async () => {
  const store = new MemoryRouting(IN_PROGRESS);
  const { alias, view } = setUp(store);
  alias.takes = 6_000;
  await view.current();
  expect(store.reads).toBe(2);
});

test('what a slow look saw takes effect as long after the write as what a quick one saw', async () => {
  const store = new MemoryRouting(IN_PROGRESS);
  const { alias, view } = setUp(store);
  alias.seen = shifting(0.1);
  alias.takes = 4_000;
  await view.current();
  expect(store.writes).toMatchObject([{ checkedAt: START + 4_000, effectiveAt: START + 4_000 + OPENING_DELAY_MS }]);
});

test('requests that come together share one read', async () => {
  const store = new MemoryRouting({ promoted: IN_PROGRESS.promoted });
  const { view } = setUp(store);
  await Promise.all([view.current(), view.current(), view.current()]);
  expect(store.reads).toBe(1);
});
