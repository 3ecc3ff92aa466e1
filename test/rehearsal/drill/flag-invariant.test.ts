import { flagValueFor } from '../../../lib/contract';
import type { ConfigurationDeploymentView } from '../../../rehearsal/cloud';
import { flagsFollowShares } from '../../../rehearsal/drill/invariants/flags';
import { history, minute, release, task } from './histories';

const document = (percent: number) => ({ careful: { default: false, variant: true, percent } });

function deployment(number: number, percent: number, from: number, to: number, state: 'COMPLETE' | 'ROLLED_BACK') {
  return {
    application: 'a',
    environment: 'e',
    profile: 'p',
    number,
    version: String(number),
    content: JSON.stringify(document(percent)),
    state,
    startedAt: from,
    endedAt: to,
    shares: [{ at: from, percent: 100 }],
  } satisfies ConfigurationDeploymentView;
}

const DEPLOYMENTS = [
  deployment(1, 0, minute(1), minute(3), 'COMPLETE'),
  deployment(2, 20, minute(10), minute(14), 'ROLLED_BACK'),
];
const isIn = (user: string) => flagValueFor('careful', document(20).careful, user) === true;
const users = Array.from({ length: 50 }, (_, n) => `u-${n}`);
const inside = users.find(isIn) ?? '';
const outside = users.find((user) => !isIn(user)) ?? '';

const met = (user: string, at: number, careful: boolean) => task({ user, createdAt: minute(at), flags: { careful } });
const check = (...tasks: ReturnType<typeof task>[]) =>
  flagsFollowShares.check({
    ...history({ releases: [release()], tasks }),
    speed: 30,
    flagDeployments: DEPLOYMENTS,
  });

test('holds when users of the share got the variant only while it was deployed', () => {
  expect(check(met(inside, 12, true), met(outside, 12, false), met(inside, 5, false), met(inside, 20, false))).toEqual({
    held: true,
    detail: 'careful=true for 1 user, careful=false for 2 users',
  });
});

test.each([
  ['a user outside the share got the variant', met(outside, 12, true)],
  ['a user got the variant before its deployment', met(inside, 5, true)],
  ['a user got the variant after its rollback', met(inside, 20, true)],
])('fails when %s', (_, bad) => {
  expect(check(met(inside, 12, true), bad).held).toBe(false);
});

test('fails when no user of the share was observed', () => {
  expect(check(met(outside, 12, false)).detail).toBe(
    'careful=true was deployed to 20 % of the users, but no task got it',
  );
});
