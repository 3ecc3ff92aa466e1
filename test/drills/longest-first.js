const { basename } = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

/** Drills that take minutes, longest first. */
const LONG = ['gates', 'chaos-1', 'rotation', 'chaos-2', 'chaos-3', 'refusals', 'promotions'];

/**
 * In a fresh clone Jest knows no durations and takes large files for slow ones. Drills are a few lines each: the longest
 * would come last, and one processor would wait for the other.
 */
module.exports = class LongestFirst extends Sequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    return sorted.toSorted((a, b) => place(a) - place(b));
  }
};

function place({ path }) {
  const index = LONG.indexOf(basename(path, '.test.ts'));
  return path.includes('/drills/') && index >= 0 ? index : LONG.length;
}
