import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { LaneOwnershipMonitor, servesLane } from '../../../../lambda/shared/routing/lane-ownership';
import { RoutingRepository } from '../../../../lambda/shared/routing/routing-repository';
import { createLogger } from '../../../../lambda/shared/telemetry/logger';
import {
  ControlKey,
  type LaneName,
  type PromotedItem,
  type RolloutItem,
  type RolloutTarget,
} from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { ManualClock } from '../../../support/manual-clock';

const OLD = 'r-000000000001';
const NEW = 'r-000000000002';

const target = (release: string): RolloutTarget => ({ release, workerVersion: `f-${release}`, routerVersion: '1' });
const promoted = (release: string): PromotedItem => ({ target: target(release), promotedAt: 1 });
const rollout = (release: string, status: RolloutItem['status']): RolloutItem => ({
  id: 'rollout',
  target: target(release),
  status,
  startedAt: 1,
});

describe('servesLane', () => {
  const releases = (lane: LaneName, ...state: [PromotedItem | undefined, RolloutItem | undefined]) =>
    [OLD, NEW].filter((release) => servesLane(lane, release, ...state));

  test.each<[string, LaneName, PromotedItem | undefined, RolloutItem | undefined, string[]]>([
    ['nothing is known', 'stable', undefined, undefined, [OLD, NEW]],
    ['nothing is known', 'candidate', undefined, undefined, [OLD, NEW]],
    ['the first release rolls out', 'stable', undefined, rollout(OLD, 'in_progress'), [OLD, NEW]],
    ['the first release rolls out', 'candidate', undefined, rollout(OLD, 'in_progress'), [OLD]],
    ['a release is promoted', 'stable', promoted(OLD), rollout(OLD, 'promoted'), [OLD]],
    ['a release is promoted', 'candidate', promoted(OLD), rollout(OLD, 'promoted'), [OLD]],
    // The new one gets the lane before it is promoted, the old one works until then.
    ['the next one rolls out', 'stable', promoted(OLD), rollout(NEW, 'in_progress'), [OLD, NEW]],
    ['the next one rolls out', 'candidate', promoted(OLD), rollout(NEW, 'in_progress'), [NEW]],
    ['the next one is promoted', 'stable', promoted(NEW), rollout(NEW, 'promoted'), [NEW]],
    ['the next one is promoted', 'candidate', promoted(NEW), rollout(NEW, 'promoted'), [NEW]],
    ['the next one is rolled back', 'stable', promoted(OLD), rollout(NEW, 'rolled_back'), [OLD]],
    ['the next one is rolled back', 'candidate', promoted(OLD), rollout(NEW, 'rolled_back'), [OLD]],
  ])('while %s, lane %s is for the right releases', (_, lane, promotion, under, expected) => {
    expect(releases(lane, promotion, under)).toEqual(expected);
  });
});

describe('watching', () => {
  let dynamoDb: LocalDynamoDb;
  beforeAll(async () => {
    dynamoDb = await startDynamoDb(['control']);
  });
  afterAll(() => dynamoDb.close());

  async function watched(table: string) {
    const clock = new ManualClock();
    const seen: boolean[] = [];
    const ended = new AbortController();
    let looks = 0;
    const client = documentClient(dynamoDb.client);
    // Counts what is answered: the clock waits for it.
    client.middlewareStack.add(
      (next) => async (given) => {
        try {
          return await next(given);
        } finally {
          looks += 1;
        }
      },
      { step: 'initialize' },
    );
    const monitor = new LaneOwnershipMonitor({
      routing: new RoutingRepository(client, table),
      release: OLD,
      lane: 'stable',
      clock,
      random: () => 0.5,
      logger: createLogger({ component: 'test', agent: 'support', release: OLD }),
    });
    const ending = monitor.watch(ended.signal, (serving) => seen.push(serving));
    return {
      seen,
      /** Lets half a minute and the jitter pass, and the look that follows. */
      look: async () => {
        const before = looks;
        await new Promise((resolve) => setImmediate(resolve));
        await clock.advance(36_000);
        while (looks < before + 2) {
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      },
      end: async () => {
        ended.abort();
        await ending;
      },
    };
  }

  const put = (key: object, item: object) =>
    documentClient(dynamoDb.client).send(new PutCommand({ TableName: 'control', Item: { ...key, ...item } }));

  test('tells when the lane passes to another release, and when it comes back, once each', async () => {
    await put(ControlKey.promoted, promoted(OLD));
    const watch = await watched('control');
    await watch.look();
    expect(watch.seen).toEqual([]);
    await put(ControlKey.promoted, promoted(NEW));
    await watch.look();
    await watch.look();
    expect(watch.seen).toEqual([false]);
    await put(ControlKey.promoted, promoted(OLD));
    await watch.look();
    expect(watch.seen).toEqual([false, true]);
    await watch.end();
  });

  test('changes nothing while the table cannot be read', async () => {
    const watch = await watched('no-such-table');
    await watch.look();
    expect(watch.seen).toEqual([]);
    await watch.end();
  });
});
