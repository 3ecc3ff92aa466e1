import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { ControlTableBacklog } from '../../../../lambda/shared/backlog/backlog-store';
import { BacklogView, SNAPSHOT_GOOD_FOR_MS } from '../../../../lambda/shared/backlog/backlog-view';
import type { BacklogItem } from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { awsError, FakeClock } from '../support/fakes';

let dynamodb: LocalDynamoDb;
let tables = 0;
beforeAll(async () => {
  dynamodb = await startDynamoDb(['control-1', 'control-2', 'control-3', 'control-4', 'control-5', 'control-6']);
});
afterAll(() => dynamodb.close());

/** Queues that all hold the given number of messages. */
function queues(waiting: number): BacklogItem['queues'] {
  const lane = { high: { waiting, inFlight: 0 }, normal: { waiting, inFlight: 0 }, low: { waiting, inFlight: 0 } };
  return { stable: lane, candidate: lane };
}

/** A table of its own, and environments over it that share a clock and count what was called. */
function setUp() {
  tables += 1;
  const clock = new FakeClock();
  const store = new ControlTableBacklog(documentClient(dynamodb.client), `control-${tables}`);
  const calls = { counts: 0, reads: 0, writes: 0 };
  const problems: string[] = [];
  const failing = { read: false, count: false };
  /** Holds every count up until `of` counts run. */
  const meeting = { of: 1, met: () => {}, all: Promise.resolve() };
  const meet = (of: number) => {
    meeting.of = of;
    meeting.all = new Promise((resolve) => {
      meeting.met = resolve;
    });
  };
  const environment = (random = 0) =>
    new BacklogView({
      store: {
        read: async () => {
          calls.reads += 1;
          if (failing.read) {
            throw awsError('InternalServerError', 500);
          }
          return await store.read();
        },
        write: async (item, replaces) => {
          calls.writes += 1;
          return await store.write(item, replaces);
        },
      },
      count: async () => {
        calls.counts += 1;
        if (failing.count) {
          throw awsError('ThrottlingException');
        }
        const counted = queues(calls.counts);
        if (calls.counts >= meeting.of) {
          meeting.met();
        }
        await meeting.all;
        return counted;
      },
      clock,
      onProblem: (message) => problems.push(message),
      random: () => random,
    });
  const waiting = async (view: BacklogView) => (await view.current())?.queues.stable.high.waiting;
  return { calls, clock, environment, failing, meet, problems, store, waiting };
}

test('only an environment that finds the snapshot old counts the queues', async () => {
  const { calls, clock, environment, store, waiting } = setUp();
  const [failFastClientConfig, patient] = [environment(0), environment(1)];
  await expect(waiting(failFastClientConfig)).resolves.toBe(1);
  await expect(waiting(patient)).resolves.toBe(1);
  expect(calls.counts).toBe(1);
  clock.time += 30_001;
  // 30 s are enough for the one, not for the other.
  await expect(waiting(patient)).resolves.toBe(1);
  await expect(waiting(failFastClientConfig)).resolves.toBe(2);
  clock.time += 10_001;
  await expect(waiting(patient)).resolves.toBe(2);
  expect(calls.counts).toBe(2);
  await expect(store.read()).resolves.toMatchObject({ sequence: 1 });
});

test('the snapshot is read once for any number of requests within some seconds', async () => {
  const { calls, clock, environment } = setUp();
  const view = environment(0);
  await Promise.all(Array.from({ length: 20 }, () => view.current()));
  clock.time += 5_000;
  await view.current();
  expect(calls).toEqual({ counts: 1, reads: 1, writes: 1 });
  clock.time += 1;
  await view.current();
  expect(calls).toEqual({ counts: 1, reads: 2, writes: 1 });
});

test('of environments that count at once, one writes and the others take that over', async () => {
  const { calls, environment, meet, store } = setUp();
  meet(5);
  const views = Array.from({ length: 5 }, () => environment(0));
  const seen = await Promise.all(views.map((view) => view.current()));
  expect(calls.counts).toBe(5);
  const written = await store.read();
  expect(seen).toEqual(Array.from({ length: 5 }, () => written));
  expect(written?.sequence).toBe(0);
});

test('fails to count: the last snapshot stands until it is five minutes old, and is not tried for at every request', async () => {
  const { calls, clock, environment, failing, problems, waiting } = setUp();
  const view = environment(0);
  await view.current();
  failing.count = true;
  clock.time += 30_001;
  await expect(waiting(view)).resolves.toBe(1);
  clock.time += 10_000;
  await expect(waiting(view)).resolves.toBe(1);
  expect(calls.counts).toBe(2);
  expect(problems).toEqual(['the queues could not be counted: going by the last snapshot']);
  clock.time += SNAPSHOT_GOOD_FOR_MS;
  await expect(view.current()).resolves.toBeUndefined();
  expect(calls.counts).toBe(3);
  failing.count = false;
  clock.time += 30_001;
  await expect(waiting(view)).resolves.toBe(4);
});

test('fails to read: the last snapshot stands, and the table is not asked at every request', async () => {
  const { calls, clock, environment, failing, problems, waiting } = setUp();
  const view = environment(0);
  await view.current();
  failing.read = true;
  clock.time += 5_001;
  await expect(waiting(view)).resolves.toBe(1);
  await expect(waiting(view)).resolves.toBe(1);
  expect(calls.reads).toBe(2);
  expect(problems).toEqual(['the snapshot of the queues could not be read: going by the last one']);
});

test('knows nothing where nothing could ever be read', async () => {
  const { environment, failing } = setUp();
  failing.read = true;
  await expect(environment().current()).resolves.toBeUndefined();
});
