import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadScenario, parseScenario } from '../../../../rehearsal/drill/scenario/load-scenario';
import { scenarioJsonSchema } from '../../../../rehearsal/drill/scenario/scenario';

const rejection = (value: unknown) => {
  try {
    parseScenario(value, 'scenario.json');
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the scenario was accepted');
};

const releases = [{ name: 'first', expected: 'promoted' }];

test('the published schema is current (`cdk-agent-lanes schema` prints it)', () => {
  const file = join(__dirname, '../../../../rehearsal/scenario.schema.json');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(scenarioJsonSchema())));
});

test('accepts the smallest scenario', () => {
  expect(parseScenario({ name: 'smallest', releases }, 'x')).toEqual({ name: 'smallest', releases });
});

test('rejects a wrong value with its path, the value, what is accepted and the description of the field', () => {
  expect(rejection({ name: 'x', releases: [{ name: 'a', expected: 'promote' }] })).toContain(
    'scenario.json: invalid scenario:\n  releases[0].expected: "promote": expected one of "promoted", "rolled_back", "refused". The field is: how the deployment must end',
  );
  expect(
    rejection({ name: 'x', releases, traffic: { users: 'many', tasks: 1.5, ratePerSecond: 0, inputs: [] } }),
  ).toMatch(
    /traffic\.users: "many": expected a number.*\n.*traffic\.tasks: 1\.5: expected an integer.*\n.*traffic\.ratePerSecond: 0: expected more than 0.*\n.*traffic\.inputs: \[\]: expected at least 1 item/,
  );
});

test('rejects an unknown field and names the known ones', () => {
  expect(rejection({ name: 'x', releases, trafic: {} })).toContain(
    'trafic: unknown field, expected one of $schema, name,',
  );
});

test('rejects a wrong value in an alternative with its path', () => {
  expect(
    rejection({
      name: 'x',
      releases,
      provider: { rules: [{ name: 'r', answer: { latencyMs: { min: 'w', max: 3 } } }] },
    }),
  ).toContain('provider.rules[0].answer.latencyMs.min: "w": expected a number');
});

test.each([
  [
    'two releases with the same name',
    [...releases, ...releases],
    'releases[1].name: "first": is already the name of an earlier release',
  ],
  [
    'a first release that is rolled back',
    [{ name: 'a', expected: 'rolled_back' }],
    'releases[0].expected: "rolled_back": the first release creates the stack',
  ],
  [
    'a gate for a release that is promoted',
    [{ name: 'a', expected: 'promoted', cause: { gate: 'cost' } }],
    'releases[0].cause.gate: "cost"',
  ],
])('rejects %s', (_, wrong, message) => {
  expect(rejection({ name: 'x', releases: wrong })).toContain(message);
});

describe('loadScenario', () => {
  const directory = mkdtempSync(join(tmpdir(), 'scenario-'));

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('rejects a missing file, and a file that is not JSON', async () => {
    await expect(loadScenario(join(directory, 'none.json'))).rejects.toThrow('cannot be read');
    const file = join(directory, 'broken.json');
    writeFileSync(file, '{ "name": ');
    await expect(loadScenario(file)).rejects.toThrow(`${file}: is not JSON`);
  });
});
