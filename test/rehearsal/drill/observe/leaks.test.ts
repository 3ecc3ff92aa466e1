import { checkInvariants } from '../../../../rehearsal/drill/invariants';
import { findLeaks, secretsToSearch } from '../../../../rehearsal/drill/observe/leaks';
import type { Scenario } from '../../../../rehearsal/drill/scenario/scenario';
import { history } from '../histories';

const KEY = 'sk-planted-4f1c20';

const scenario: Scenario = {
  name: 'planted',
  secrets: [
    { name: '*Key*', value: KEY },
    { name: '*Short*', value: 'drill' },
  ],
  releases: [{ name: 'first', expected: 'promoted' }],
};

const rotating: Scenario = {
  ...scenario,
  rotation: {
    secrets: ['*'],
    count: 2,
    graceSeconds: 600,
    poolKeys: ['sk-pool-1-77ab3c', 'sk-pool-2-5f0c1d'],
    adminKey: 'sk-admin-90d4e1',
    project: 'proj_1',
  },
};

/** What a run leaves, with one text in one place. */
function cloud({ line = 'a line', trace = 'model', item = 'a value', message = 'a task' } = {}) {
  return {
    logGroups: () => ['/quiet', '/worker'],
    logLines: (group: string) => (group === '/quiet' ? [] : [{ message: line }]),
    traces: () => [{ id: '1-a', documents: [{ name: trace }] }],
    tables: { names: () => ['tasks'], scan: async () => [{ pk: 'T#1', deep: { error: item } }] },
    queues: () => [{ name: 'dead' }],
    messagesIn: () => [message],
  };
}

test('searches for secrets that are long enough', () => {
  expect(secretsToSearch(scenario)).toEqual([KEY]);
  expect(secretsToSearch(rotating)).toEqual([KEY, 'sk-pool-1-77ab3c', 'sk-pool-2-5f0c1d', 'sk-admin-90d4e1']);
});

test('a run without leaks reports what was searched', async () => {
  const leaks = await findLeaks(cloud(), scenario, { 'the report': '{}' });
  expect(leaks).toEqual({ secrets: 1, searched: { lines: 1, traces: 1, items: 1, messages: 1 }, found: [] });
});

test.each([
  ['a log line', { line: `{"reason":"invalid key ${KEY}"}` }, '/worker'],
  ['a trace', { trace: KEY }, 'trace 1-a'],
  ['an item', { item: `the model did not take ${KEY}` }, 'table tasks'],
  ['a message', { message: KEY }, 'queue dead'],
])('finds a key in %s', async (_, places, found) => {
  expect((await findLeaks(cloud(places), scenario, {}))?.found).toEqual([found]);
});

test('finds secrets in further texts, and keys of service accounts', async () => {
  expect((await findLeaks(cloud(), scenario, { 'the report': `"${KEY}"` }))?.found).toEqual(['the report']);
  const made = cloud({ line: 'sk-svcacct-0a1b2c3d' });
  expect((await findLeaks(made, rotating, {}))?.found).toEqual(['/worker']);
});

test('a scenario without secrets is not checked', async () => {
  expect(await findLeaks(cloud(), { ...scenario, secrets: [{ name: '*', value: 'drill' }] }, {})).toBeUndefined();
});

describe('no-secret-leaked', () => {
  const searched = { lines: 3, traces: 2, items: 5, messages: 0 };
  const judged = (leaks?: NonNullable<Parameters<typeof history>[0]>['leaks']) =>
    checkInvariants(history(leaks === undefined ? {} : { leaks })).find(({ name }) => name === 'no-secret-leaked');

  test('holds when no secret was found', () => {
    expect(judged({ secrets: 2, searched, found: [] })).toMatchObject({
      held: true,
      detail: '2 secrets in none of 3 log lines, 2 traces, 5 items',
    });
    expect(judged()).toMatchObject({ held: true, detail: 'not checked: the scenario has no secret to search for' });
  });

  test('fails for each place with a secret, and for places without content', () => {
    expect(judged({ secrets: 2, searched: { ...searched, traces: 0 }, found: ['/worker'] })).toMatchObject({
      held: false,
      detail: 'a secret is in /worker; no traces to search',
    });
  });
});
