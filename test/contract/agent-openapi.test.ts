import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentOpenApiDocument } from '../../lib/contract/agent-openapi';
import { AgentPath, TaskPath } from '../../lib/contract/agent-protocol';
import { documentOf } from './support/agent-document';
import type { Loose } from './support/document';

const { document, references, resolve, validatorAt } = documentOf();

test('the published document is the one that the schemas make (renew it with `cdk-agent-lanes openapi --of agent-protocol --out docs/agent-protocol.openapi.json`)', () => {
  const published = readFileSync(join(__dirname, '../../docs/agent-protocol.openapi.json'), 'utf8');
  expect(JSON.parse(published)).toEqual(JSON.parse(JSON.stringify(agentOpenApiDocument(document.info.version))));
});

test('every reference leads somewhere, and every schema holds its own example', () => {
  const all = references();
  expect(all.length).toBeGreaterThan(50);
  for (const reference of all) {
    expect([reference, resolve(reference)]).toEqual([reference, expect.any(Object)]);
  }
  for (const [name, schema] of Object.entries<Loose>(document.components.schemas)) {
    const isValid = validatorAt('components', 'schemas', name);
    for (const example of schema.examples ?? []) {
      isValid(example);
      expect([name, isValid.errors]).toEqual([name, null]);
    }
  }
});

const operations = Object.entries<Loose>(document.paths).flatMap(([path, item]) =>
  ['get', 'post', 'put'].filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })),
);

test('every path of the contract is documented, at the port of the side that answers it, with an operation of its own', () => {
  for (const path of Object.values(AgentPath)) {
    expect(document.paths[path].servers[0].variables.port.default).toBe('8080');
  }
  const below = Object.keys(document.paths).filter((path) => path.startsWith('/tasks/{id}'));
  for (const path of Object.values(TaskPath)) {
    expect(below.filter((each) => each.includes(path))).not.toEqual([]);
  }
  for (const path of below) {
    expect(document.paths[path].servers[0].variables.port.default).toBe('9400');
  }
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
});

test.each(operations.filter(({ path }) => path.startsWith('/tasks/')))(
  '$method $path says what it takes, needs the token, and says when the task is over',
  ({ path, operation }) => {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const parameters = document.paths[path].parameters as Loose[];
    expect(parameters.map(({ name }) => name)).toEqual(inPath);
    expect(operation.security).toEqual([{ attempt: [] }]);
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['200', '400', '410', '422', '503']));
  },
);

test('what an agent sends is checked to the letter, and what it is sent may grow', () => {
  const { schemas } = document.components;
  for (const name of ['BeginStepRequest', 'BeginToolRequest', 'UsageRequest', 'ModelRequest', 'ScoreRequest']) {
    expect([name, schemas[name].additionalProperties]).toEqual([name, false]);
  }
  for (const name of ['RunRequest', 'CancelRequest', 'CheckpointRequest']) {
    expect([name, schemas[name].additionalProperties]).toEqual([name, undefined]);
  }
});
