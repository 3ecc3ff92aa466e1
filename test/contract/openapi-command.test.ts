import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApiCommand } from '../../bin/commands/openapi';
import { DOCUMENT } from './support/document';

const folder = mkdtempSync(join(tmpdir(), 'openapi-'));
const lines: string[] = [];
const errors: string[] = [];
const terminal = { out: (line: string) => lines.push(line), err: (line: string) => errors.push(line), isTTY: false };

const run = (...args: string[]) =>
  openApiCommand(DOCUMENT.info.version, terminal).exitOverride().parseAsync(args, { from: 'user' });

afterEach(() => {
  lines.length = 0;
  process.exitCode = 0;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const EXPECTED = JSON.parse(JSON.stringify(DOCUMENT));

test('openapi prints the document', async () => {
  await run();
  expect(JSON.parse(lines.join('\n'))).toEqual(EXPECTED);
});

test('openapi --out writes it', async () => {
  const file = join(folder, 'openapi.json');
  await run('--out', file);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(EXPECTED);
  expect(lines).toEqual([]);
});

test('openapi refuses a file that cannot be written, and names it', async () => {
  const file = join(folder, 'none', 'openapi.json');
  await run('--out', file);
  expect(process.exitCode).toBe(3);
  expect(errors.join()).toContain(`could not write ${file}`);
});
