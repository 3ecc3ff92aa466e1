import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import type { Stack } from 'aws-cdk-lib';
import { bundleAgent, CONTAINER_BUNDLE } from '../../../lib/worker/agent-bundle';
import { AGENT_MODULE, codeFolder, writeFiles } from '../../support/agent-folder';
import { temporaryFolder, testStack } from '../../support/stack';

const here = process.cwd();
afterEach(() => process.chdir(here));

let stack: Stack;
beforeAll(() => {
  stack = testStack();
});

function bundle(folder: string, entry = 'agent.ts') {
  return bundleAgent(stack, join(folder, entry));
}

function text(code: Uint8Array): string {
  return Buffer.from(code).toString('utf8');
}

describe('bundleAgent', () => {
  test('makes one file that exports a handler and needs nothing beside it', () => {
    const file = join(writeFiles(temporaryFolder(), { 'index.js': bundle(codeFolder()).code }), 'index.js');
    // Outside of Jest's module registry, as Lambda would load it: nothing of the repository is in reach.
    const loaded = createRequire(file)(file) as { handler: unknown };
    expect(typeof loaded.handler).toBe('function');
  });

  test('depends neither on the folder nor on the directory that the app is run in', () => {
    const [one, other] = [codeFolder(), codeFolder()];
    const digest = bundle(one).digest;
    expect(bundle(other).digest).toBe(digest);
    process.chdir(one);
    writeFiles(one, { 'touched.md': 'x' });
    expect(bundleAgent(stack, 'agent.ts').digest).toBe(digest);
  });

  test('holds no path of this machine', () => {
    const folder = codeFolder();
    const code = text(bundle(folder).code);
    expect([folder, here, 'agent.ts', 'shout.ts'].filter((path) => code.includes(path))).toEqual([]);
  });

  test('does not change with comments, formatting or licence notes', () => {
    const folder = codeFolder();
    const before = bundle(folder).digest;
    writeFiles(folder, {
      'agent.ts': `/*! @license X */\n// A comment.\n${AGENT_MODULE.replace(/\n/g, '\n\n')}//! legal\n`,
    });
    expect(bundle(folder).digest).toBe(before);
  });

  test('changes with the agent, and with what the agent imports', () => {
    const folder = codeFolder();
    const before = bundle(folder).digest;
    writeFiles(folder, { 'shout.ts': "export const shout = (text: string): string => text + '!';\n" });
    const imported = bundle(folder).digest;
    expect(imported).not.toBe(before);
    writeFiles(folder, { 'agent.ts': AGENT_MODULE.replace('answer:', 'reply:') });
    expect(bundle(folder).digest).not.toBe(imported);
  });

  test('names the files that the author keeps, relative to where the app runs', () => {
    const folder = codeFolder();
    expect(bundle(folder).sources).toEqual([
      join(relative(here, folder), 'agent.ts'),
      join(relative(here, folder), 'shout.ts'),
    ]);
  });

  test('shares one copy of the runtime between agent and worker', () => {
    // The worker knows an agent by a mark that the runtime put on it: with two copies the module would throw here.
    const folder = codeFolder({
      'agent.ts': AGENT_MODULE.replace('export default', 'const agent =').concat('export default agent;\n'),
    });
    const file = join(writeFiles(temporaryFolder(), { 'index.js': bundle(folder).code }), 'index.js');
    expect(() => createRequire(file)(file)).not.toThrow();
  });

  test('reports what the bundler found odd', () => {
    const folder = codeFolder({ 'shout.ts': 'export const shout = (text: string) => text + import.meta.url;\n' });
    expect(bundle(folder).warnings).toEqual([
      expect.stringMatching(/shout\.ts:1:\d+: "import\.meta" is not available/),
    ]);
  });

  test('refuses an entry that is not there, and names where it looked', () => {
    expect(() => bundleAgent(stack, 'agent/nowhere.ts')).toThrow(
      `[Test] MissingEntry: worker entry "agent/nowhere.ts" is not a file: expected the module whose default export is the agent; paths are relative to ${here}`,
    );
    expect(() => bundleAgent(stack, temporaryFolder())).toThrow(/MissingEntry/);
  });

  test.each([
    ['named exports alone', 'export const agent = 1;\n'],
    ['no export', 'const agent = 1;\nconsole.log(agent);\n'],
    ['nothing at all', ''],
  ])('refuses an entry with %s', (_, source) => {
    expect(() => bundle(codeFolder({ 'agent.ts': source }))).toThrow(
      /MissingDefaultExport: worker entry ".*agent\.ts" has no default export: expected "export default defineAgent/,
    );
  });

  test('fails with the place of a syntax error and of an unknown import', () => {
    expect(() => bundle(codeFolder({ 'shout.ts': 'export const shout = (;\n' }))).toThrow(
      /InvalidEntry: worker entry ".*agent\.ts" cannot be bundled: .*shout\.ts:1:\d+: Unexpected ";"/,
    );
    expect(() => bundle(codeFolder({ 'shout.ts': "export { shout } from 'no-such-package';\n" }))).toThrow(
      /InvalidEntry: .*shout\.ts:1:\d+: Could not resolve "no-such-package"/,
    );
  });
});

describe('bundleAgent for a container', () => {
  const container = (folder: string) => bundleAgent(stack, join(folder, 'agent.ts'), CONTAINER_BUNDLE);

  test('makes a program of the same agent, and not the handler that was made before', () => {
    const folder = codeFolder();
    const handler = bundle(folder);
    const program = container(folder);
    expect(program.digest).not.toBe(handler.digest);
    expect(program.sources).toEqual(handler.sources);
    expect(container(codeFolder()).digest).toBe(program.digest);
    expect([folder, here].filter((path) => text(program.code).includes(path))).toEqual([]);
  });

  test('fails for a module without an agent, although it is loaded only when it is needed', () => {
    const folder = codeFolder({ 'agent.ts': 'export const agent = 1;\n' });
    expect(() => container(folder)).toThrow(/MissingDefaultExport: worker entry ".*agent\.ts" has no default export/);
  });
});
