import { checkInvariants } from '../../../rehearsal/drill/invariants';
import type { DrillHistory, RotationHistory } from '../../../rehearsal/drill/report/history';
import { history, minute, task, user } from './histories';

const used = { accepted: 10, refused: 0, revoked: true };

function rotated(overrides: Partial<RotationHistory> = {}): RotationHistory {
  return {
    rotations: [
      { secret: 'Stack/Key', completed: true },
      { secret: 'Stack/Key', completed: true },
    ],
    keys: [
      { ...used, refused: 2 },
      { ...used, revoked: false },
    ],
    accounts: { created: 2, left: 1 },
    ...overrides,
  };
}

const done = [task({ user: user(1), createdAt: minute(50) })];

const broken = (drill: Partial<DrillHistory>) =>
  checkInvariants(history({ tasks: done, ...drill }))
    .filter(({ held }) => !held)
    .map(({ name, detail }) => `${name}: ${detail}`);

test('all invariants hold when every key was used and then revoked', () => {
  expect(broken({ rotations: rotated() })).toEqual([]);
});

test('rotation invariants are not checked without rotations', () => {
  const details = checkInvariants(history({ tasks: done })).map(({ detail }) => detail);
  expect(details.filter((detail) => detail === 'not checked: the scenario rotates no secret')).toHaveLength(3);
});

test.each<[string, Partial<DrillHistory>, string]>([
  [
    'for a rotation that did not complete',
    { rotations: rotated({ rotations: [{ secret: 'Stack/Key', completed: false }] }) },
    'rotations-complete: a rotation of Stack/Key did not complete',
  ],
  [
    'for a key that no worker used',
    {
      rotations: rotated({
        keys: [
          { ...used, refused: 2 },
          { accepted: 0, refused: 0, revoked: false },
        ],
      }),
    },
    'keys-rotated: key 2 was never used',
  ],
  [
    'for an old key that is still valid',
    { rotations: rotated({ keys: [{ ...used, refused: 2, revoked: false }, used] }) },
    'keys-rotated: key 1 was not revoked',
  ],
  [
    'when no worker used a revoked key',
    { rotations: rotated({ keys: [used, used] }) },
    'keys-rotated: no worker used a revoked key, so the replacement was not tested',
  ],
  [
    'for service accounts that remain',
    { rotations: rotated({ accounts: { created: 4, left: 3 } }) },
    'keys-rotated: 3 service accounts are left, expected the current one',
  ],
])('fails %s', (_, drill, finding) => {
  expect(broken(drill)).toEqual([finding]);
});

test('fails for a task that did not succeed', () => {
  const tasks = [task({ user: user(1), createdAt: minute(50), status: 'failed' })];
  expect(broken({ rotations: rotated(), tasks })).toContainEqual(
    expect.stringMatching(/^rotations-lose-no-task: task \S+ is failed$/),
  );
});
