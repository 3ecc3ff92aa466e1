import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiPage } from '../../scripts/generate-api';
import { errorsPage } from '../../scripts/generate-errors';

const ROOT = join(__dirname, '..', '..');

test.each([
  ['API.md', apiPage],
  ['docs/errors.md', errorsPage],
])('%s is what `npm run docs` writes', (page, generate) => {
  expect(readFileSync(join(ROOT, page), 'utf8')).toBe(generate());
});
