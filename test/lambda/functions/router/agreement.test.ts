import fc from 'fast-check';
import { chooseLane } from '../../../../lambda/shared/routing/decision';
import { RoutingView } from '../../../../lambda/shared/routing/routing-view';
import { ROUTING_CACHE_MS } from '../../../../lambda/shared/routing/valve-update';
import type { AliasSnapshot, LaneName } from '../../../../lib/contract';
import { FakeClock } from '../../shared/support/fakes';
import { AGENT, CLOSED, DONE, IN_PROGRESS, MemoryRouting, shifting } from './support';

const USERS = Array.from({ length: 10 }, (_, user) => `user-${user}`);

/** What may happen next. Times in milliseconds. */
type Step =
  | { readonly kind: 'pass'; readonly time: number }
  | { readonly kind: 'alias'; readonly says: AliasSnapshot }
  /** One router is asked; if it reads the alias, its write takes the given time. */
  | { readonly kind: 'ask'; readonly router: number; readonly writeTakes: number };

const aliasStates: readonly AliasSnapshot[] = [CLOSED, shifting(0.1), shifting(0.5), shifting(0.9), DONE];

function steps(says: readonly AliasSnapshot[]): fc.Arbitrary<readonly Step[]> {
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('pass' as const), time: fc.nat(8_000) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('alias' as const), says: fc.constantFrom(...says) }) },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('ask' as const),
          router: fc.nat(2),
          writeTakes: fc.constantFrom(0, 0, ROUTING_CACHE_MS),
        }),
      },
    ),
    { minLength: 20, maxLength: 100 },
  );
}

/** Three environments of the router, each with its own cache, over one table and one alias. */
class Fleet {
  readonly clock = new FakeClock();
  readonly store = new MemoryRouting(IN_PROGRESS);
  alias: AliasSnapshot = CLOSED;
  private writeTakes = 0;
  private readonly views: readonly RoutingView[];

  constructor(draws: readonly number[]) {
    this.store.onWrite = async () => {
      this.clock.time += this.writeTakes;
    };
    this.views = draws.map(
      (draw) =>
        new RoutingView({
          store: this.store,
          alias: async () => this.alias,
          clock: this.clock,
          random: () => draw,
          onProblem: (message, error) => {
            throw new Error(message, { cause: error });
          },
        }),
    );
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'pass':
        this.clock.time += step.time;
        break;
      case 'alias':
        this.alias = step.says;
        break;
      case 'ask':
        this.writeTakes = step.writeTakes;
        await this.views[step.router]?.current();
        this.writeTakes = 0;
        break;
    }
  }

  /** Where each environment would send each user, all at this same instant. */
  async decisions(): Promise<readonly (readonly LaneName[])[]> {
    const now = this.clock.time;
    const states = await Promise.all(this.views.map((view) => view.current()));
    expect(this.clock.time).toBe(now);
    return states.map((state) => USERS.map((user) => chooseLane(state, now, AGENT, user).lane));
  }
}

const draws = fc.tuple(...[0, 1, 2].map(() => fc.double({ min: 0, max: 1, noNaN: true })));

test('routers agree at every instant, whatever the alias says and whenever each of them looks', async () => {
  // A valve that only ever opens: closing is at once, hence the one thing they may differ over (next test).
  const opening = aliasStates.filter((state) => state !== CLOSED);
  await fc.assert(
    fc.asyncProperty(draws, steps(opening), async (drawn, sequence) => {
      const fleet = new Fleet(drawn);
      for (const step of sequence) {
        await fleet.take(step);
        const [first, ...others] = await fleet.decisions();
        for (const other of others) {
          expect(other).toEqual(first);
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('over a valve that closed, routers differ no longer than their caches last', async () => {
  await fc.assert(
    fc.asyncProperty(draws, steps(aliasStates), async (drawn, sequence) => {
      const fleet = new Fleet(drawn);
      for (const step of sequence) {
        await fleet.take(step);
        const [first, ...others] = await fleet.decisions();
        const closings = fleet.store.writes.filter(
          ({ current }) => current.version === CLOSED.version && !current.shift,
        );
        const lastClosing = Math.max(...closings.map(({ effectiveAt }) => effectiveAt), Number.NEGATIVE_INFINITY);
        // The write itself may take as long as the cache lasts.
        if (fleet.clock.time - lastClosing > 2 * ROUTING_CACHE_MS) {
          for (const other of others) {
            expect(other).toEqual(first);
          }
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('a router that sees the valve closed sends no user to the candidate from that moment', async () => {
  await fc.assert(
    fc.asyncProperty(draws, steps(aliasStates), async (drawn, sequence) => {
      const fleet = new Fleet(drawn);
      for (const step of sequence) {
        await fleet.take(step);
      }
      fleet.alias = CLOSED;
      fleet.clock.time += 40_000;
      const lanes = await fleet.decisions();
      expect(new Set(lanes.flat())).toEqual(new Set(['stable']));
    }),
  );
});

test('within a rollout a growing shift returns no user to the stable lane', async () => {
  const weights = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(draws, weights, async (drawn, unsorted) => {
      const fleet = new Fleet(drawn);
      const onCandidate = new Set<string>();
      for (const says of [...unsorted.sort((a, b) => a - b).map(shifting), DONE]) {
        await fleet.take({ kind: 'alias', says });
        for (let second = 0; second < 60; second += 3) {
          await fleet.take({ kind: 'pass', time: 3_000 });
          for (const lanes of await fleet.decisions()) {
            for (const [index, user] of USERS.entries()) {
              if (lanes[index] === 'candidate') {
                onCandidate.add(user);
              }
              expect({ user, lane: lanes[index] }).toEqual({
                user,
                lane: onCandidate.has(user) ? 'candidate' : 'stable',
              });
            }
          }
        }
      }
      expect(onCandidate.size).toBe(USERS.length);
    }),
    { numRuns: 15 },
  );
});
