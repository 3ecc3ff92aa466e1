import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '..', '..');

interface Block {
  /** `README.md:42`, the line that the block starts at. */
  readonly place: string;
  readonly language: string;
  readonly text: string;
}

function pages(): string[] {
  const folders = ['docs', 'examples'].filter((folder) => existsSync(join(ROOT, folder)));
  const found = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !/(^|\/)(prompts|node_modules)\//.test(name))
      .map((name) => join(folder, name)),
  );
  return ['README.md', ...found].sort();
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => ({
    place: `${page}:${text.slice(0, match.index).split('\n').length}`,
    language: match[1] ?? '',
    text: match[2] ?? '',
  }));
}

/** Files of the repository and of packages, parsed. */
const parsed = new Map<string, ts.SourceFile | undefined>();

const BLOCKS = pages().flatMap(blocksOf);

/** Type-checks texts as modules at the root of the repository, as a user's own files would be. */
function diagnose(blocks: readonly Block[]): string[] {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
  const settings: ts.CompilerOptions = {
    ...options,
    noEmit: true,
    incremental: false,
    noUnusedLocals: false,
    // A team that starts from `cdk init` does not set it, and the CDK's own classes do not pass with it.
    exactOptionalPropertyTypes: false,
  };
  delete settings.tsBuildInfoFile;
  const files = new Map(blocks.map((block, index) => [join(ROOT, `__block-${index}.ts`), block]));
  const host = ts.createCompilerHost(settings);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name)?.text ?? readFile(name);
  host.getSourceFile = (name, language, ...rest) => {
    const block = files.get(name);
    if (block !== undefined) {
      return ts.createSourceFile(name, block.text, language, true);
    }
    if (!parsed.has(name)) {
      parsed.set(name, getSourceFile(name, language, ...rest));
    }
    return parsed.get(name);
  };
  const program = ts.createProgram([...files.keys()], settings, host);
  return [...files].flatMap(([name, block]) => {
    const source = program.getSourceFile(name);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      (found) => `${block.place}: ${ts.flattenDiagnosticMessageText(found.messageText, '\n')}`,
    );
  });
}

test('README and docs show TypeScript', () => {
  expect(BLOCKS.filter((block) => block.language === 'ts').length).toBeGreaterThanOrEqual(3);
});

test('every TypeScript block in README, docs and examples compiles', () => {
  expect(diagnose(BLOCKS.filter((block) => block.language === 'ts'))).toEqual([]);
}, 120_000);

test('fails for a block that does not compile', () => {
  const wrong = { place: 'nowhere.md:1', language: 'ts', text: "import { NoSuchThing } from 'cdk-agent-lanes';\n" };
  expect(diagnose([wrong])).toEqual([expect.stringContaining('NoSuchThing')]);
}, 120_000);

test('every JSON block is JSON', () => {
  for (const block of BLOCKS.filter(({ language }) => language === 'json')) {
    expect(() => JSON.parse(block.text)).not.toThrow();
  }
});

const hasPython = spawnSync('python3', ['--version']).status === 0;

(hasPython ? test : test.skip)('every Python block is Python (skipped without python3)', () => {
  const python = BLOCKS.filter(({ language }) => language === 'python');
  expect(python.length).toBeGreaterThan(0);
  for (const { place, text } of python) {
    const { status, stderr } = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], {
      input: text,
    });
    expect([place, status, stderr.toString()]).toEqual([place, 0, '']);
  }
});
