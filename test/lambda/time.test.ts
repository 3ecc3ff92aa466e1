import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const LAMBDA = join(__dirname, '../../lambda');
const CLOCK = 'shared/clock.ts';

/** Ways to ask the process, and not the clock, for the present or for a wait. */
const FORBIDDEN = [
  /\bDate\.now\b/,
  /\bnew Date\(\s*\)/,
  /\bsetTimeout\b/,
  /\bsetInterval\b/,
  /\bsetImmediate\b/,
  /\bperformance\.now\b/,
  /node:timers/,
];

function sources(): readonly string[] {
  return readdirSync(LAMBDA, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => relative(LAMBDA, join(LAMBDA, file)));
}

/** The file without comments, which may speak of what the code must not do. */
function codeOf(file: string): string {
  return readFileSync(join(LAMBDA, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '');
}

test.each(sources().filter((file) => file !== CLOCK))('%s gets the time from the clock', (file) => {
  const code = codeOf(file);
  expect(FORBIDDEN.filter((pattern) => pattern.test(code))).toEqual([]);
});

test('the clock is where the time comes from', () => {
  const code = codeOf(CLOCK);
  expect(FORBIDDEN.filter((pattern) => pattern.test(code))).not.toEqual([]);
});
