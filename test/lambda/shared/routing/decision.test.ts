import fc from 'fast-check';
import { chooseLane } from '../../../../lambda/shared/routing/decision';
import type { RoutingState } from '../../../../lambda/shared/routing/routing-repository';
import { valveBucketOf } from '../../../../lib/contract';
import { AGENT, CLOSED, DONE, IN_PROGRESS, NEW, shifting, valve } from '../../functions/router/support';
import { START } from '../support/fakes';

const choose = (state: RoutingState | undefined, now = START, user = 'user-1') => chooseLane(state, now, AGENT, user);

/** Users of a bucket below and above a tenth, in the shift to NEW. */
const users = Array.from({ length: 200 }, (_, user) => `user-${user}`);
const early = users.find((user) => valveBucketOf(AGENT, NEW.routerVersion, user) < 1_000) ?? '';
const late = users.find((user) => valveBucketOf(AGENT, NEW.routerVersion, user) >= 1_000) ?? '';

test.each<[string, RoutingState | undefined, string, string]>([
  ['the routing items could never be read', undefined, 'stable', 'routing_unknown'],
  ['nothing is recorded at all', {}, 'candidate', 'nothing_promoted'],
  ['the first deployment is in progress', { rollout: IN_PROGRESS.rollout }, 'candidate', 'nothing_promoted'],
  ['nothing was rolled out since the promotion', { promoted: IN_PROGRESS.promoted }, 'stable', 'no_rollout'],
  [
    'the last rollout was promoted',
    { ...IN_PROGRESS, rollout: { ...IN_PROGRESS.rollout, status: 'promoted' }, valve: valve({ current: DONE }) },
    'stable',
    'no_rollout',
  ],
  [
    'the last rollout was rolled back',
    {
      ...IN_PROGRESS,
      rollout: { ...IN_PROGRESS.rollout, status: 'rolled_back' },
      valve: valve({ current: shifting(1) }),
    },
    'stable',
    'no_rollout',
  ],
  ['no router has looked at the alias yet', IN_PROGRESS, 'stable', 'valve_closed'],
  ['the alias has not begun to shift', { ...IN_PROGRESS, valve: valve() }, 'stable', 'valve_closed'],
  ['the shift is done', { ...IN_PROGRESS, valve: valve({ current: DONE }) }, 'candidate', 'awaiting_promotion'],
  [
    'the valve is of another rollout',
    { ...IN_PROGRESS, valve: valve({ rolloutId: 'rollout-0', current: shifting(1), previous: shifting(1) }) },
    'stable',
    'valve_closed',
  ],
])('when %s', (_, state, lane, reason) => {
  expect(choose(state)).toMatchObject({ lane, reason });
});

test('during a shift the bucket decides', () => {
  const state = { ...IN_PROGRESS, valve: valve({ current: shifting(0.1) }) };
  expect(choose(state, START, early)).toMatchObject({ lane: 'candidate', reason: 'valve_open_for_user', weight: 0.1 });
  expect(choose(state, START, late)).toMatchObject({ lane: 'stable', reason: 'valve_closed_for_user', weight: 0.1 });
});

test('a change takes effect at its moment, not before', () => {
  const state = { ...IN_PROGRESS, valve: valve({ current: shifting(0.1), effectiveAt: START + 10 }) };
  expect(choose(state, START + 9, early).lane).toBe('stable');
  expect(choose(state, START + 10, early).lane).toBe('candidate');
});

test('a valve of another rollout never matters', () => {
  const snapshot = fc.oneof(
    fc.constant(CLOSED),
    fc.constant(DONE),
    fc.double({ min: 0, max: 1, noNaN: true }).map(shifting),
  );
  fc.assert(
    fc.property(
      snapshot,
      snapshot,
      fc.integer(),
      fc.nat(),
      fc.string(),
      (current, previous, effectiveAt, after, user) => {
        const stale = valve({ rolloutId: 'rollout-0', current, previous, effectiveAt });
        expect(choose({ ...IN_PROGRESS, valve: stale }, START + after, user)).toEqual(choose(IN_PROGRESS, START, user));
      },
    ),
  );
});
