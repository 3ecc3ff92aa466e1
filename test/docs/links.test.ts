import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ROOT = join(__dirname, '..', '..');

const ROOT_PAGES = readdirSync(ROOT).filter((name) => name.endsWith('.md'));

const PAGES = [
  ...ROOT_PAGES,
  ...['docs', 'examples', 'lambda', 'rehearsal', 'cli'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !/(^|\/)(prompts|node_modules|cdk\.out|dist)\//.test(name))
      .map((name) => `${folder}/${name}`),
  ),
];

function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
}

/** Anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  return new Set(
    [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('every relative link of the docs leads to a file, and to a heading of it', () => {
  const broken = PAGES.flatMap((page) =>
    [...textOf(page).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)].flatMap(([, link = '']) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
      const isFound =
        existsSync(join(ROOT, target)) &&
        (anchor === undefined || !target.endsWith('.md') || anchorsOf(target).has(anchor));
      return isFound ? [] : [`${page}: ${link}`];
    }),
  );
  expect(broken).toEqual([]);
});

/** `lib/release/behavior.ts`; not `rehearsal/services/<service>` or `test/golden/*.json`, which are patterns. */
const REPOSITORY_PATH = /`((?:lib|lambda|rehearsal|bin|bench|examples|test|scripts|docs)\/[\w./-]+)`/g;

test('every path of the repository that the docs name exists', () => {
  const missing = PAGES.flatMap((page) =>
    [...textOf(page).matchAll(REPOSITORY_PATH)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(ROOT, path)))
      .map((path) => `${page}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test('every page of docs is linked from the README or another page', () => {
  const linked = new Set(
    PAGES.flatMap((page) =>
      [...textOf(page).matchAll(/\]\((?!https?:)([^)\s#]+)/g)].map(([, path = '']) =>
        relative(ROOT, join(ROOT, dirname(page), path)),
      ),
    ),
  );
  expect(PAGES.filter((page) => page.startsWith('docs/') && !linked.has(page))).toEqual([]);
});
