import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

const GLOSSARY = 'docs/glossary.md';

/** They name the words in order to reject or to replace them. */
const EXEMPT: ReadonlySet<string> = new Set([GLOSSARY, 'CHANGELOG.md', 'test/lint/language.test.ts']);

/** Folders that tools write, and files that follow from others. */
const GENERATED =
  /(^|\/)(node_modules|dist|assets|assets-maps|cdk\.out|\.git|\.rehearsal|__pycache__|__generated__)(\/|$)|(^|\/)(package-lock|rehearsal-report)\.json$|\.(template|tsbuildinfo|log|tgz|whl)(\.json)?$|^(\.jsii|tsconfig\.tsbuildinfo)$/;

const TEXT = /\.(ts|js|mjs|cjs|json|md|py|sh|svg|ya?ml|toml)$|(^|\/)(Dockerfile|run)$/;

interface Rejection {
  readonly pattern: RegExp;
  readonly replacement: string;
}

interface Finding {
  /** `lib/lanes/lane.ts:43` */
  readonly place: string;
  readonly found: string;
  readonly replacement: string;
}

/** Rows of the glossary's tables whose first column lists rejected words in backticks. */
function tableRows(heading: string): { words: string[]; replacement: string }[] {
  const text = readFileSync(join(ROOT, GLOSSARY), 'utf8');
  const rows = text.split('\n');
  const start = rows.findIndex((row) => row.startsWith(`| ${heading} `));
  const end = rows.findIndex((row, index) => index > start && !row.startsWith('|'));
  return rows.slice(start + 2, end === -1 ? undefined : end).map((row) => {
    const [, first = '', replacement = ''] = row.split('|');
    return { words: [...first.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word), replacement: replacement.trim() };
  });
}

const WORDS: readonly Rejection[] = ['rejected', 'rejected spelling'].flatMap((heading) =>
  tableRows(heading).flatMap(({ words, replacement }) =>
    words.map((word) => ({ pattern: new RegExp(`\\b${word.replaceAll(' ', ' +')}\\b`, 'g'), replacement })),
  ),
);

const PREFIXES: readonly Rejection[] = tableRows('rejected prefix').flatMap(({ words, replacement }) =>
  words.map((word) => ({ pattern: new RegExp(`\\b${word}[A-Z]\\w*`, 'g'), replacement })),
);

/** `putBack`, `put_back` and `PUT_BACK` as the prose that they are made of. */
function asProse(text: string): string {
  return text
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .replaceAll(/[_-]+/g, ' ')
    .toLowerCase();
}

/** A phrase can be wrapped over two lines: what begins a line of a comment or a list belongs to neither. */
function findingsIn(path: string, text: string): Finding[] {
  const lines = text.split('\n');
  const starts: number[] = [];
  let prose = '';
  for (const line of lines) {
    starts.push(prose.length);
    prose += `${asProse(line.replace(/^\s*(\/\*\*?|\*\/?|\/\/|#+|>|-)?\s*/, ''))} `;
  }
  const lineOf = (offset: number): number => {
    const after = starts.findIndex((start) => start > offset);
    return after === -1 ? starts.length : after;
  };
  const inProse = WORDS.flatMap(({ pattern, replacement }) =>
    [...prose.matchAll(pattern)].map((match) => ({
      place: `${path}:${lineOf(match.index)}`,
      found: match[0],
      replacement,
    })),
  );
  const asPrefix = lines.flatMap((line, index) =>
    PREFIXES.flatMap(({ pattern, replacement }) =>
      [...line.matchAll(pattern)].map((match) => ({ place: `${path}:${index + 1}`, found: match[0], replacement })),
    ),
  );
  const inName = WORDS.flatMap(({ pattern, replacement }) =>
    [...asProse(path).matchAll(pattern)].map((match) => ({ place: path, found: match[0], replacement })),
  );
  return [...inName, ...inProse, ...asPrefix];
}

function files(folder = ''): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (GENERATED.test(path)) {
      return [];
    }
    if (entry.isDirectory()) {
      return files(path);
    }
    return TEXT.test(path) && !EXEMPT.has(path) ? [path] : [];
  });
}

test('the glossary lists words, prefixes and spellings', () => {
  expect(WORDS.length).toBeGreaterThan(80);
  expect(PREFIXES.length).toBeGreaterThan(4);
});

test.each([
  ['prose', 'It goes on', 'goes on'],
  ['a wrapped comment', ' * the task is put\n * back', 'put back'],
  ['camel case', 'const isUnderWay = true', 'under way'],
  ['snake case', "status: 'put_back'", 'put back'],
  ['a constant', 'export const LEAST_WAIT_MS = 1', 'LEAST_WAIT_MS'],
  ['British spelling', 'interface BehaviourProps {}', 'behaviour'],
])('a planted violation is found: %s', (_, text, found) => {
  expect(findingsIn('planted.ts', text)).toEqual([expect.objectContaining({ found })]);
});

test('a word that only contains a rejected one is accepted', () => {
  expect(findingsIn('planted.ts', 'amend the input backlog; MINIMUM_MOST; renewed')).toEqual([]);
});

test('files, identifiers, messages and docs use the words of docs/glossary.md', () => {
  const findings = files().flatMap((path) => findingsIn(path, readFileSync(join(ROOT, path), 'utf8')));
  expect(findings.map(({ place, found, replacement }) => `${place}: "${found}", say: ${replacement}`)).toEqual([]);
});
