import { randomInt } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

type FastCheck = typeof import('fast-check');

/**
 * Replaces `fast-check` by itself with one seed for all properties, so that `npm test` gives the same result for the same code
 * wherever it runs. PROPERTY_SEED takes another one, or `random` one for each test file: that is how to look for more.
 */
const SEED = 20_260_101;

const root = dirname(createRequire(__filename).resolve('fast-check/package.json'));
const fastCheck = require(join(root, 'lib/cjs/fast-check.js')) as FastCheck;

const asked = process.env.PROPERTY_SEED ?? String(SEED);
if (asked !== 'random' && !/^-?\d+$/.test(asked)) {
  throw new Error(`PROPERTY_SEED must be an integer or "random", got ${JSON.stringify(asked)}`);
}
fastCheck.configureGlobal({
  ...fastCheck.readConfigureGlobal(),
  seed: asked === 'random' ? randomInt(2 ** 31) : Number(asked),
});

module.exports = fastCheck;
