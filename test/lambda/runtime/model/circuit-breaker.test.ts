import fc from 'fast-check';
import { type CallPermit, CircuitBreaker } from '../../../../lambda/runtime/model/circuit-breaker';

const POLICY = { breakerFailures: 3, breakerOpenMs: 1_000 };

function setUp() {
  const clock = { time: 0, now: () => clock.time, sleep: () => Promise.resolve() };
  const breaker = new CircuitBreaker(POLICY, clock);
  const fail = () => breaker.tryAcquire()?.failed();
  return { clock, breaker, fail };
}

test('opens after the configured number of consecutive failures, and not when an answer comes between them', () => {
  const { breaker, fail } = setUp();
  expect([fail(), fail()]).toEqual([false, false]);
  expect(breaker.tryAcquire()?.succeeded()).toBe(false);
  expect([fail(), fail(), fail()]).toEqual([false, false, true]);
  expect(breaker.state).toBe('open');
  expect(breaker.tryAcquire()).toBeUndefined();
  expect(breaker.waitMs).toBe(1_000);
});

test('lets one call try after a while, and closes when it is answered', () => {
  const { breaker, fail, clock } = setUp();
  [fail(), fail(), fail()];
  clock.time = 1_000;
  expect(breaker.state).toBe('half_open');
  const trying = breaker.tryAcquire();
  expect(breaker.tryAcquire()).toBeUndefined();
  expect(trying?.succeeded()).toBe(true);
  expect(breaker.state).toBe('closed');
});

test('opens again at once when the call that tries it fails', () => {
  const { breaker, fail, clock } = setUp();
  [fail(), fail(), fail()];
  clock.time = 1_500;
  expect(fail()).toBe(true);
  expect(breaker.waitMs).toBe(1_000);
  clock.time = 2_499;
  expect(breaker.tryAcquire()).toBeUndefined();
});

test('lets another call try when the trial call was abandoned', () => {
  const { breaker, fail, clock } = setUp();
  [fail(), fail(), fail()];
  clock.time = 1_000;
  breaker.tryAcquire()?.released();
  expect(breaker.tryAcquire()).toBeDefined();
});

test('learns nothing from calls that were in progress when it opened', () => {
  const { breaker, fail, clock } = setUp();
  const early = breaker.tryAcquire();
  const alsoEarly = breaker.tryAcquire();
  [fail(), fail(), fail()];
  expect(early?.succeeded()).toBe(false);
  expect(breaker.state).toBe('open');
  clock.time = 1_000;
  const trying = breaker.tryAcquire();
  alsoEarly?.released();
  expect(breaker.tryAcquire()).toBeUndefined();
  expect(trying?.succeeded()).toBe(true);
});

type Act = { readonly kind: 'enter' | 'succeed' | 'fail' | 'abandon'; readonly call: number } | { readonly ms: number };

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constantFrom('enter', 'succeed', 'fail', 'abandon'), call: fc.nat({ max: 5 }) }),
  fc.record({ ms: fc.integer({ min: 1, max: 1_500 }) }),
);

test('under any interleaving of calls and time lets no call pass while open, one at a time while half open, and comes back', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
      const { breaker, clock } = setUp();
      const open: { passage: CallPermit; trying: boolean }[] = [];
      for (const each of acts) {
        if ('ms' in each) {
          clock.time += each.ms;
          continue;
        }
        const before = breaker.state;
        if (each.kind === 'enter') {
          const passage = breaker.tryAcquire();
          const trying = before === 'half_open';
          if (before === 'open') {
            expect(passage).toBeUndefined();
          } else if (before === 'closed') {
            expect(passage).toBeDefined();
          } else if (passage !== undefined) {
            expect(open.filter((other) => other.trying)).toEqual([]);
          }
          if (passage !== undefined) {
            open.push({ passage, trying });
          }
          continue;
        }
        const [ended] = open.splice(each.call % Math.max(1, open.length), 1);
        if (each.kind === 'fail') {
          expect(ended?.passage.failed() === true).toBe(breaker.state === 'open' && before !== 'open');
        } else if (each.kind === 'succeed') {
          expect(ended?.passage.succeeded() === true).toBe(before !== 'closed' && breaker.state === 'closed');
        } else {
          ended?.passage.released();
          expect(breaker.state).toBe(before);
        }
      }
      // Whatever happened: once no call is in progress and time has passed, an answered call closes it.
      for (const { passage } of open) {
        passage.released();
      }
      clock.time += POLICY.breakerOpenMs;
      breaker.tryAcquire()?.succeeded();
      expect(breaker.state).toBe('closed');
    }),
  );
});
