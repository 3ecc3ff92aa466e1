import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../../lib/contract';
import { type ModelOptions, ModelSpec } from '../../../lib/release';
import { workerCore } from '../../../lib/worker/worker-core';
import { agentFolder, codeFolder } from '../../support/agent-folder';
import { temporaryFolder, testStack } from '../../support/stack';

const ROOT = join(__dirname, '../../..');
const PRICE: ModelOptions = { price: { inputPerMillion: 1, outputPerMillion: 5 } };
const ANTHROPIC = ModelSpec.anthropic('claude-haiku-4-5-20251001', PRICE);
const OPENAI = ModelSpec.openAi('gpt-4.1-2025-04-14', PRICE);

const namesOf = (...models: ModelSpec[]) => [...workerCore('lambda', models).files.keys()].sort();

test("holds the worker and the modules of the chain's providers, and no others", () => {
  expect(namesOf(ANTHROPIC)).toEqual(['anthropic.js', 'core.js', 'index.js', 'runtime.js']);
  expect(namesOf(ANTHROPIC, OPENAI)).toEqual(['anthropic.js', 'core.js', 'index.js', 'openai.js', 'runtime.js']);
  expect([...workerCore('sidecar', [OPENAI]).files.keys()].sort()).toEqual([
    'Dockerfile',
    'core.js',
    'index.js',
    'openai.js',
    'runtime.js',
  ]);
});

test('has a digest for each program and each set of providers, and one for its content', () => {
  const digests = [
    workerCore('lambda', [ANTHROPIC]),
    workerCore('lambda', [OPENAI]),
    workerCore('container', [ANTHROPIC]),
    workerCore('sidecar', [ANTHROPIC]),
  ].map(({ digest }) => digest);
  expect(new Set(digests).size).toBe(4);
  expect(workerCore('lambda', [ANTHROPIC, ANTHROPIC]).digest).toBe(digests[0]);
});

/** The library as another version of it, with one file of its worker changed. */
function otherVersion(changed: string): string {
  const folder = join(temporaryFolder(), 'cdk-agent-lanes');
  mkdirSync(folder);
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  cpSync(join(ROOT, 'lib'), join(folder, 'lib'), { recursive: true });
  cpSync(join(ROOT, 'assets'), join(folder, 'assets'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, 'assets/worker', changed);
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n// another version\n`);
  return folder;
}

interface Library {
  readonly Behavior: typeof import('../../../lib/release').Behavior;
  readonly WorkerSpec: typeof import('../../../lib/worker').WorkerSpec;
}

function digestsOf({ Behavior, WorkerSpec }: Library, folder: string): Record<'code' | 'library', string | undefined> {
  const behavior = Behavior.fromDirectory(agentFolder(), { model: ANTHROPIC });
  const worker = WorkerSpec.lambda({ entry: join(folder, 'agent.ts') })._describe(testStack(), behavior);
  return { code: worker.codeDigest, library: worker.libraryDigest };
}

test.each(['core.js', 'runtime.js', 'anthropic.js', 'lambda.js'])(
  "another %s in the library changes the release's library and not its code",
  (changed) => {
    const folder = codeFolder();
    const present = digestsOf({ ...require('../../../lib/release'), ...require('../../../lib/worker') }, folder);
    const other = otherVersion(changed);
    const after = digestsOf({ ...require(join(other, 'lib/release')), ...require(join(other, 'lib/worker')) }, folder);
    expect(after.code).toBe(present.code);
    expect(after.library).not.toBe(present.library);
  },
);

test('a provider that the chain does not name changes nothing', () => {
  const folder = codeFolder();
  const present = digestsOf({ ...require('../../../lib/release'), ...require('../../../lib/worker') }, folder);
  const other = otherVersion('bedrock.js');
  expect(digestsOf({ ...require(join(other, 'lib/release')), ...require(join(other, 'lib/worker')) }, folder)).toEqual(
    present,
  );
});

test('every file of the worker is in the package', () => {
  for (const [name, content] of workerCore('container', [ANTHROPIC, OPENAI]).files) {
    const source = name === 'index.js' ? 'container.js' : name;
    const file = join(ROOT, 'assets/worker', source);
    expect(existsSync(file)).toBe(true);
    expect(sha256(readFileSync(file))).toBe(sha256(content));
  }
});
