import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DOCUMENT, type Loose, references, resolve, validatorAt } from './support/document';

test('the published document is the one that the schemas make (renew it with `cdk-agent-lanes openapi --out docs/openapi.json`)', () => {
  const published = readFileSync(join(__dirname, '../../docs/openapi.json'), 'utf8');
  expect(JSON.parse(published)).toEqual(JSON.parse(JSON.stringify(DOCUMENT)));
});

test('every reference leads somewhere', () => {
  const all = references();
  expect(all.length).toBeGreaterThan(20);
  for (const reference of all) {
    expect([reference, resolve(reference)]).toEqual([reference, expect.any(Object)]);
  }
});

test('every schema can be checked by, and holds its own example', () => {
  const names = Object.keys(DOCUMENT.components.schemas);
  expect(names).toEqual(expect.arrayContaining(['SubmitRequest', 'Task', 'FeedbackRequest', 'Error']));
  for (const name of names) {
    const isValid = validatorAt('components', 'schemas', name);
    for (const example of DOCUMENT.components.schemas[name].examples ?? []) {
      isValid(example);
      expect([name, isValid.errors]).toEqual([name, null]);
    }
  }
});

interface Operation {
  readonly path: string;
  readonly method: string;
  readonly operation: Loose;
}

const OPERATIONS: readonly Operation[] = Object.entries<Loose>(DOCUMENT.paths).flatMap(([path, item]) =>
  ['get', 'post', 'delete', 'put', 'patch']
    .filter((method) => item[method] !== undefined)
    .map((method) => ({ path, method, operation: item[method] })),
);

test('there are four operations, each with a name of its own', () => {
  expect(OPERATIONS.map(({ path, method }) => `${method} ${path}`).sort()).toEqual([
    'delete /tasks/{id}',
    'get /tasks/{id}',
    'post /tasks',
    'post /tasks/{id}/feedback',
  ]);
  expect(new Set(OPERATIONS.map(({ operation }) => operation.operationId)).size).toBe(4);
});

test.each(OPERATIONS)('$method $path says what it takes and whatever it may answer', ({ path, operation }) => {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const parameters = (DOCUMENT.paths[path].parameters ?? []) as Loose[];
  expect(parameters.filter((one) => one.in === 'path' && one.required).map(({ name }) => name)).toEqual(inPath);
  for (const [status, response] of Object.entries<Loose>(operation.responses)) {
    expect([status, typeof response.description, Object.keys(response.content)]).toEqual([
      status,
      'string',
      ['application/json'],
    ]);
  }
  expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['403', '429', '500', '503']));
  expect(operation.responses['503'].headers).toHaveProperty('Retry-After');
});
