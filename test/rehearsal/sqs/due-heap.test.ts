import fc from 'fast-check';
import { DueHeap } from '../../../rehearsal/services/sqs/due-heap';

test('the heap gives back everything in the order of time, and of addition where the time is the same', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), fc.integer({ min: -1, max: 21 }), (times, now) => {
      const heap = new DueHeap<number>();
      for (const [index, at] of times.entries()) {
        heap.add(at, index);
      }
      const taken: number[] = [];
      for (let next = heap.takeDue(now); next !== undefined; next = heap.takeDue(now)) {
        taken.push(next);
      }
      const expected = times
        .map((at, index) => ({ at, index }))
        .filter(({ at }) => at <= now)
        .sort((a, b) => a.at - b.at || a.index - b.index)
        .map(({ index }) => index);
      expect(taken).toEqual(expected);
      const left = times.filter((at) => at > now);
      expect(heap.nextAt).toBe(left.length === 0 ? undefined : Math.min(...left));
    }),
  );
});
