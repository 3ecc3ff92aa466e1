import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadScenario, parseScenario } from '../../../../rehearsal/drill/scenario/load-scenario';
import { scenarioJsonSchema } from '../../../../rehearsal/drill/scenario/scenario';

const refusal = (value: unknown) => {
  try {
    parseScenario(value, 'scenario.json');
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the scenario was accepted');
};

const releases = [{ name: 'first', expected: 'promoted' }];

test('the published schema is the one that scenarios are checked by (renew it with `cdk-agent-lanes schema`)', () => {
  const file = join(__dirname, '../../../../rehearsal/scenario.schema.json');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(scenarioJsonSchema())));
});

test('accepts the smallest scenario', () => {
  expect(parseScenario({ name: 'smallest', releases }, 'x')).toEqual({ name: 'smallest', releases });
});

test('refuses a wrong value by path, with the value, what was expected and what the field says', () => {
  expect(refusal({ name: 'x', releases: [{ name: 'a', expected: 'promote' }] })).toContain(
    'scenario.json: not a scenario:\n  releases[0].expected: "promote": expected one of "promoted", "rolled_back", "refused". It says what must become of it',
  );
  expect(
    refusal({ name: 'x', releases, traffic: { users: 'many', tasks: 1.5, ratePerSecond: 0, inputs: [] } }),
  ).toMatch(
    /traffic\.users: "many": expected a number.*\n.*traffic\.tasks: 1\.5: expected a whole number.*\n.*traffic\.ratePerSecond: 0: expected a number of more than 0.*\n.*traffic\.inputs: \[\]: expected at least 1 item/,
  );
});

test('refuses an unknown field and names the known ones', () => {
  expect(refusal({ name: 'x', releases, trafic: {} })).toContain(
    'trafic: not a field of a scenario: expected one of $schema, name,',
  );
});

test('refuses a wrong alternative by its own path', () => {
  expect(
    refusal({ name: 'x', releases, provider: { rules: [{ name: 'r', answer: { latencyMs: { min: 'w', max: 3 } } }] } }),
  ).toContain('provider.rules[0].answer.latencyMs.min: "w": expected a number');
});

test.each([
  [
    'two releases of one name',
    [...releases, ...releases],
    'releases[1].name: "first": is the name of an earlier release',
  ],
  [
    'a first release that is rolled back',
    [{ name: 'a', expected: 'rolled_back' }],
    'releases[0].expected: "rolled_back": the first release creates the stack',
  ],
  [
    'a gate for a release that is promoted',
    [{ name: 'a', expected: 'promoted', because: { gate: 'cost' } }],
    'releases[0].because.gate: "cost"',
  ],
])('refuses %s', (_, wrong, message) => {
  expect(refusal({ name: 'x', releases: wrong })).toContain(message);
});

describe('loadScenario', () => {
  const directory = mkdtempSync(join(tmpdir(), 'scenario-'));

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('refuses a file that is not there, and one that is not JSON', async () => {
    await expect(loadScenario(join(directory, 'none.json'))).rejects.toThrow('cannot be read');
    const file = join(directory, 'broken.json');
    writeFileSync(file, '{ "name": ');
    await expect(loadScenario(file)).rejects.toThrow(`${file}: is not JSON`);
  });
});
