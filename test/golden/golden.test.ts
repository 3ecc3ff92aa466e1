import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testApp } from '../support/stack';
import { COMPOSITIONS } from './compositions';
import { maskedTemplate } from './masked-template';

/** Templates are written on purpose only: `npm run golden`. Review what changed, as a reviewer of a deployment would. */
const UPDATE = process.env.UPDATE_GOLDEN === '1';

const fileOf = (name: string) => join(__dirname, `${name}.template.json`);

describe('golden templates', () => {
  test.each(Object.entries(COMPOSITIONS))('%s is as reviewed', (name, compose) => {
    const text = maskedTemplate(compose(testApp()));
    if (UPDATE) {
      writeFileSync(fileOf(name), text);
    }
    if (!existsSync(fileOf(name))) {
      throw new Error(`${fileOf(name)} does not exist: write it with "npm run golden" and review it`);
    }
    expect(text).toBe(readFileSync(fileOf(name), 'utf8'));
  });

  test('there is none that nothing compares', () => {
    const files = readdirSync(__dirname).filter((name) => name.endsWith('.template.json'));
    expect(files.sort()).toEqual(
      Object.keys(COMPOSITIONS)
        .map((name) => `${name}.template.json`)
        .sort(),
    );
  });

  test('hold no digest, no release id and no commit', () => {
    for (const name of Object.keys(COMPOSITIONS)) {
      const text = readFileSync(fileOf(name), 'utf8');
      expect(text).not.toMatch(/\b[0-9a-f]{40,}\b|\br-[0-9a-f]{12}\b|GitRevision/);
      expect(text).toContain('<release>');
    }
  });
});
