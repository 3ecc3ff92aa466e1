const { basename } = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

/** Drills that want a processor for themselves, each beside one that mostly waits; other drills come last. */
const ORDER = ['drain', 'rotation', 'chaos-1', 'flag', 'chaos-2', 'gates', 'chaos-3', 'refusals', 'budget'];

/**
 * In a fresh clone Jest knows no durations and takes large files for slow ones. Drills are a few lines each: the longest
 * would come last, and one processor would wait for the other.
 */
module.exports = class DrillsInOrder extends Sequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    return sorted.toSorted((a, b) => place(a) - place(b));
  }
};

function place({ path }) {
  const index = ORDER.indexOf(basename(path, '.test.ts'));
  return path.includes('/drills/') && index >= 0 ? index : ORDER.length;
}
