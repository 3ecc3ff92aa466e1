import fc from 'fast-check';
import { overloadOf } from '../../../../lambda/shared/backlog/overload';
import { type BacklogItem, type BacklogLimitSeconds, LANES, PRIORITIES } from '../../../../lib/contract';
import { START } from '../support/fakes';

const LIMITS: BacklogLimitSeconds = { high: 3_600, normal: 900, low: 300 };

type Ages = Partial<Record<'high' | 'normal' | 'low', number>>;

function backlog(stable: Ages, candidate: Ages = {}): BacklogItem {
  const lane = (ages: Ages) => {
    const queue = (priority: keyof Ages) => ({
      waiting: 1,
      inFlight: 0,
      oldestSeconds: ages[priority],
    });
    return { high: queue('high'), normal: queue('normal'), low: queue('low') };
  };
  return { takenAt: START, sequence: 0, queues: { stable: lane(stable), candidate: lane(candidate) } };
}

test('each priority has its own limit', () => {
  const late = backlog({ high: 301 });
  expect(overloadOf(late, 'stable', 'low', LIMITS)).toEqual({
    queue: 'high',
    ageSeconds: 301,
    limitSeconds: 300,
    retryAfterSeconds: 30,
  });
  expect(overloadOf(late, 'stable', 'normal', LIMITS)).toBeUndefined();
  expect(overloadOf(late, 'stable', 'high', LIMITS)).toBeUndefined();
});

test('the limit itself is not past it', () => {
  expect(overloadOf(backlog({ low: 300 }), 'stable', 'low', LIMITS)).toBeUndefined();
});

test('less urgent queues, other lanes, and queues of unknown age refuse no task', () => {
  expect(overloadOf(backlog({ low: 99_999 }), 'stable', 'normal', LIMITS)).toBeUndefined();
  expect(overloadOf(backlog({}, { high: 99_999 }), 'stable', 'low', LIMITS)).toBeUndefined();
  expect(overloadOf(backlog({}), 'stable', 'low', LIMITS)).toBeUndefined();
});

test.each([
  [301, 30],
  [420, 120],
  [10_000, 300],
])('of %d s of waiting, the caller stays away for %d', (age, retryAfterSeconds) => {
  expect(overloadOf(backlog({ low: age }), 'stable', 'low', LIMITS)).toMatchObject({ retryAfterSeconds });
});

test('with ascending limits, a task is never refused while a less urgent one of its lane is let in', () => {
  const age = fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined });
  const ages = fc
    .record({ high: age, normal: age, low: age })
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Ages);
  fc.assert(
    fc.property(ages, ages, fc.constantFrom(...LANES), (stable, candidate, lane) => {
      const refused = PRIORITIES.map((one) => overloadOf(backlog(stable, candidate), lane, one, LIMITS) !== undefined);
      expect(refused).toEqual([...refused].sort((a, b) => Number(a) - Number(b)));
    }),
  );
});
