import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { BudgetBook } from '../../../../lambda/shared/budgets/budget-book';
import { ControlTableBudgets } from '../../../../lambda/shared/budgets/budget-store';
import type { BudgetSettings } from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { FakeClock, START } from '../support/fakes';

const DAY = 86_400_000;

let dynamodb: LocalDynamoDb;
beforeAll(async () => {
  dynamodb = await startDynamoDb(['control']);
});
afterAll(() => dynamodb.close());

let days = 0;

/** Each test on a day of its own. */
function setUp(settings: Omit<BudgetSettings, 'onExceeded'> = { agentPerDay: 10, userPerDay: 3 }) {
  days += 2;
  const clock = new FakeClock(START + days * DAY + 1_000);
  const store = new ControlTableBudgets(documentClient(dynamodb.client), 'control');
  const book = () => new BudgetBook({ settings: { ...settings, onExceeded: 'refuse' }, store, clock });
  return { clock, book };
}

test('adds up what any number of workers spend', async () => {
  const { book } = setUp();
  await Promise.all(Array.from({ length: 20 }, () => book().spend('anna', 0.1)));
  const { agent, user } = await book().spend('anna', 0.1);
  expect(agent).toBeCloseTo(21);
  expect(user).toBeCloseTo(70);
});

test('a budget is used up when all of it is spent, and not before', async () => {
  const { book } = setUp();
  await book().spend('anna', 2.99);
  expect(await book().exceeded('anna')).toBeUndefined();
  await book().spend('anna', 0.01);
  expect(await book().exceeded('anna')).toMatchObject({ whose: 'user', limit: 3 });
  expect(await book().exceeded('bert')).toBeUndefined();
});

test('spending that is not counted yet counts as well', async () => {
  const { book } = setUp();
  await book().spend('anna', 2);
  expect(await book().exceeded('anna', 0.9)).toBeUndefined();
  expect(await book().exceeded('anna', 1)).toMatchObject({ whose: 'user' });
});

test('says whose budget it is, how large, and when the next begins', async () => {
  const { book, clock } = setUp({ agentPerDay: 10 });
  await book().spend(undefined, 10);
  const exceeded = await book().exceeded('anna');
  const midnight = new Date(clock.time - 1_000 + DAY).toISOString().replace('.000Z', 'Z');
  expect(exceeded).toEqual({
    whose: 'agent',
    limit: 10,
    endsInMs: DAY - 1_000,
    message: `the agent's budget of 10 US dollars a day is used up; the next day's begins at ${midnight}, in 86399 s`,
  });
});

test('begins again at midnight UTC, also where the day before is remembered', async () => {
  const { book, clock } = setUp({ agentPerDay: 10 });
  const kept = book();
  await kept.spend(undefined, 10);
  clock.time += DAY - 1_001;
  expect(await kept.exceeded('anna')).toBeDefined();
  clock.time += 1;
  expect(await kept.exceeded('anna')).toBeUndefined();
});

test('what others spent is known after five seconds', async () => {
  const { book, clock } = setUp({ agentPerDay: 10 });
  const kept = book();
  expect(await kept.exceeded('anna')).toBeUndefined();
  await book().spend(undefined, 10);
  expect(await kept.exceeded('anna')).toBeUndefined();
  clock.time += 5_001;
  expect(await kept.exceeded('anna')).toBeDefined();
});
