import { nextValve, OPENING_DELAY_MS, ROUTING_CACHE_MS } from '../../../../lambda/shared/routing/valve-update';
import { CLOSED, DONE, IN_PROGRESS, shifting, valve } from '../../functions/router/support';
import { START } from '../support/fakes';

const later = START + 60_000;

test('the first look finds the valve closed', () => {
  expect(nextValve(IN_PROGRESS, CLOSED, later)).toEqual(valve({ effectiveAt: later, checkedAt: later }));
});

test('a look that finds nothing new only says that a router looked', () => {
  const state = { ...IN_PROGRESS, valve: valve({ current: shifting(0.1), sequence: 6 }) };
  expect(nextValve(state, shifting(0.1), later)).toEqual({ ...state.valve, checkedAt: later, sequence: 7 });
});

test.each([
  ['begins', CLOSED, shifting(0.1)],
  ['continues', shifting(0.1), shifting(0.2)],
  ['ends', shifting(0.2), DONE],
])('a shift that %s takes effect when every cache has been renewed', (_, current, seen) => {
  const next = nextValve({ ...IN_PROGRESS, valve: valve({ current }) }, seen, later);
  expect(next).toMatchObject({ current: seen, previous: current, effectiveAt: later + OPENING_DELAY_MS });
  expect(OPENING_DELAY_MS).toBeGreaterThanOrEqual(2 * ROUTING_CACHE_MS);
});

test.each([shifting(0.1), shifting(1), DONE])('closing takes effect at once, from %j', (current) => {
  const next = nextValve({ ...IN_PROGRESS, valve: valve({ current }) }, CLOSED, later);
  expect(next).toMatchObject({ current: CLOSED, effectiveAt: later });
});

test('closing before the opening took effect leaves the valve as it was', () => {
  const pending = valve({ current: shifting(0.1), effectiveAt: later + 1 });
  expect(nextValve({ ...IN_PROGRESS, valve: pending }, CLOSED, later)).toMatchObject({
    current: CLOSED,
    previous: CLOSED,
    effectiveAt: later,
  });
});

test('what others know to be coming comes as announced, the next look continues from there', () => {
  const pending = valve({ current: shifting(0.1), effectiveAt: later + 1 });
  expect(nextValve({ ...IN_PROGRESS, valve: pending }, shifting(0.2), later)).toEqual({
    ...pending,
    checkedAt: later,
    sequence: 1,
  });
});

test('an item of another rollout is replaced, its snapshots are not taken over', () => {
  const stale = valve({ rolloutId: 'rollout-0', current: shifting(0.5), sequence: 41 });
  expect(nextValve({ ...IN_PROGRESS, valve: stale }, shifting(0.1), later)).toEqual({
    rolloutId: 'rollout-1',
    current: shifting(0.1),
    previous: CLOSED,
    effectiveAt: later + OPENING_DELAY_MS,
    checkedAt: later,
    sequence: 42,
  });
});
