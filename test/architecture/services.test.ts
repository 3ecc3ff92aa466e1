import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SERVICES = join(__dirname, '..', '..', 'rehearsal', 'services');

/** Names of earlier layouts: what they held belongs in operations.ts, resources.ts, model.ts or a file named by its subject. */
const FORBIDDEN = /^(handlers|service|types|utils|arn|kinds)\.ts$|-handler\.ts$/;

const folders = readdirSync(SERVICES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** Runs the resource types of the others, and returns the engine that does. */
const ENGINE = 'cloudformation';

function problemsOf(service: string, files: Readonly<Record<string, string>>): readonly string[] {
  const index = files['index.ts'];
  if (index === undefined) {
    return ['has no index.ts'];
  }
  const values = [...index.matchAll(/^export (?!type\b|interface\b)(.*)$/gm)].map(([, rest = '']) => rest);
  const factories = values.filter((rest) => /^function create[A-Z]\w*\(/.test(rest));
  const imports = (name: string) => new RegExp(`from '\\./${name}'`).test(index);
  const has = { service: /^ {2}readonly service\b/m.test(index), handlers: /^ {2}readonly handlers\b/m.test(index) };
  const layout = [
    ...Object.keys(files)
      .filter((name) => FORBIDDEN.test(name))
      .map((name) => `${name} is a name of an earlier layout`),
    ...(factories.length === 1 && values.length === 1 ? [] : ['index.ts must export one function createX, and types']),
  ];
  if (service === ENGINE) {
    return layout;
  }
  return [
    ...layout,
    ...(has.service || has.handlers
      ? []
      : ['createX returns neither operations (service) nor resource types (handlers)']),
    ...(has.service === imports('operations') && has.service === 'operations.ts' in files
      ? []
      : ['the service of createX must come from operations.ts, and be absent without that file']),
    ...(has.handlers === imports('resources') && has.handlers === 'resources.ts' in files
      ? []
      : ['the handlers of createX must come from resources.ts, and be absent without that file']),
  ];
}

function filesOf(service: string): Record<string, string> {
  const folder = join(SERVICES, service);
  return Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

test('finds the services', () => {
  expect(folders.length).toBeGreaterThan(15);
  expect(existsSync(join(SERVICES, '..', 'README.md'))).toBe(true);
});

test.each(folders)('%s has the layout of a service', (service) => {
  expect(problemsOf(service, filesOf(service))).toEqual([]);
});

describe('a folder that breaks the layout fails', () => {
  const index = [
    "import { operations } from './operations';",
    "import { handler } from './resources';",
    'export interface X {',
    '  readonly service: unknown;',
    '  readonly handlers: unknown;',
    '}',
    'export function createX(): X {',
  ].join('\n');
  const valid = { 'index.ts': index, 'operations.ts': '', 'resources.ts': '', 'model.ts': '' };

  test('the valid one passes', () => {
    expect(problemsOf('x', valid)).toEqual([]);
  });

  test.each<[string, Record<string, string>]>([
    ['without index.ts', { 'operations.ts': '' }],
    ['with handlers.ts', { ...valid, 'handlers.ts': '' }],
    ['with service.ts', { ...valid, 'service.ts': '' }],
    ['with a file per handler', { ...valid, 'queue-handler.ts': '' }],
    ['with a class beside createX', { ...valid, 'index.ts': `${index}\nexport class Service {` }],
    ['with a second factory', { ...valid, 'index.ts': `${index}\nexport function createY(): X {` }],
    ['with a service from elsewhere', { ...valid, 'index.ts': index.replace('./operations', './wire') }],
  ])('%s', (_name, files) => {
    expect(problemsOf('x', files)).not.toEqual([]);
  });
});
