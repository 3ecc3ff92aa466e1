import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { RateLimitStore } from '../../../../lambda/runtime/rate-limiter/rate-limit-store';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';

const NOW = 1_800_000_000_000;
const ALLOWANCE = { burstMs: 0, waitMs: 1_000 };

let dynamodb: LocalDynamoDb;
let documents: DynamoDBDocumentClient;

beforeEach(async () => {
  dynamodb = await startDynamoDb(['control']);
  documents = documentClient(dynamodb.client);
});

afterEach(async () => {
  documents.destroy();
  await dynamodb.close();
});

/** The store as one worker sees it, which goes by what it saw last. */
function worker() {
  const store = new RateLimitStore(documents, 'control');
  return (costMs: number, now = NOW) => store.acquire('anthropic', 'requests', costMs, ALLOWANCE, now);
}

test('what several workers take adds up', async () => {
  const [one, two] = [worker(), worker()];
  expect(await one(300)).toEqual({ granted: true, until: NOW + 300 });
  expect(await two(300)).toEqual({ granted: true, until: NOW + 600 });
  expect(await one(300)).toEqual({ granted: true, until: NOW + 900 });
});

test('a limit that lay idle begins at now, and saves nothing up', async () => {
  const take = worker();
  await take(300);
  expect(await take(300, NOW + 60_000)).toEqual({ granted: true, until: NOW + 60_300 });
});

test('refuses what others have spoken for, also to a worker that last saw it free, and takes nothing then', async () => {
  const [one, two] = [worker(), worker()];
  await two(500);
  await one(5_000);
  expect(await two(500)).toEqual({ granted: false, until: NOW + 5_500 });
  expect(await one(500)).toEqual({ granted: false, until: NOW + 5_500 });
  expect(await worker()(500)).toEqual({ granted: false, until: NOW + 5_500 });
});

test('grants again when what was spoken for is near enough', async () => {
  const [one, two] = [worker(), worker()];
  await one(5_000);
  expect((await two(500)).granted).toBe(false);
  expect((await two(500, NOW + 3_999)).granted).toBe(false);
  expect(await two(500, NOW + 4_000)).toEqual({ granted: true, until: NOW + 5_500 });
});
