import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import type { Stack } from 'aws-cdk-lib';
import { bundleAgent } from '../../../lib/worker/agent-bundle';
import { type WorkerProgram, workerCore } from '../../../lib/worker/worker-core';
import { AGENT_MODULE, codeFolder, testBehavior, writeFiles } from '../../support/agent-folder';
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

/** What an asset holds: the worker, and the bundle beside it. @returns path of the program */
function asset(program: WorkerProgram, agent: Uint8Array): string {
  const { files } = workerCore(program, [testBehavior().model]);
  return join(writeFiles(temporaryFolder(), { ...Object.fromEntries(files), 'agent.js': agent }), 'index.js');
}

describe('bundleAgent', () => {
  test('makes a module that needs nothing but the worker beside it', () => {
    const file = asset('lambda', bundle(codeFolder()).code);
    // Outside of Jest's module registry, as Lambda would load it: nothing of the repository is in reach.
    const loaded = createRequire(file)(file) as { handler: unknown };
    expect(typeof loaded.handler).toBe('function');
  });

  test('holds the agent alone: nothing of the library and of its dependencies', () => {
    const agent = `
      import { defineAgent } from 'cdk-agent-lanes/runtime';
      export default defineAgent({ run: async () => null });
    `;
    const code = text(bundle(codeFolder({ 'agent.ts': agent })).code);
    expect([...code.matchAll(/\brequire\("([^"]*)"\)/g)].map((match) => match[1])).toEqual(['./runtime.js']);
    expect(code.length).toBeLessThan(2_000);
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

  test('does not change with comments, formatting or license notes', () => {
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
    const folder = codeFolder({
      'agent.ts': `
        import { AgentError, defineAgent } from 'cdk-agent-lanes/runtime';
        export default Object.assign(defineAgent({ run: async () => null }), { AgentError });
      `,
    });
    const file = asset('lambda', bundle(folder).code);
    const load = createRequire(file);
    const { AgentError } = load('./core.js').runtime;
    expect(AgentError).toEqual(expect.any(Function));
    expect(load('./agent.js').default.AgentError).toBe(AgentError);
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

test('one bundle serves a function and a container', () => {
  const { code } = bundle(codeFolder());
  const file = asset('container', code);
  // The health check of a container does not load the agent: here it finds no worker that answers.
  const { status, stderr } = spawnSync(process.execPath, [file, 'health'], { encoding: 'utf8', env: {} });
  expect(stderr).not.toContain('Cannot find module');
  expect(status).toBe(1);
  expect(createRequire(file)('./agent.js').default).toBeDefined();
});
