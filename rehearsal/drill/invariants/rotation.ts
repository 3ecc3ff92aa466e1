import type { DrillHistory, RotationHistory } from '../report/history';
import { type Finding, findingOf, type Invariant, plural } from './invariant';

export const rotationsComplete: Invariant = {
  name: 'rotations-complete',
  promise: 'every rotation completes and leaves no version pending',
  check: (history) =>
    withRotations(history, ({ rotations }) =>
      findingOf(
        rotations.filter(({ completed }) => !completed).map(({ secret }) => `a rotation of ${secret} did not complete`),
        plural(rotations.length, 'rotation'),
      ),
    ),
};

export const rotationsLoseNoTask: Invariant = {
  name: 'rotations-lose-no-task',
  promise: 'no task fails while keys rotate, even when the key in use is revoked',
  check: (history) =>
    withRotations(history, () =>
      findingOf(
        history.tasks.filter(({ status }) => status !== 'succeeded').map(({ id, status }) => `task ${id} is ${status}`),
        `all ${plural(history.tasks.length, 'task')} succeeded`,
      ),
    ),
};

export const keysRotated: Invariant = {
  name: 'keys-rotated',
  promise: 'workers use every new key, old keys are revoked, and workers replace a refused key',
  check: (history) =>
    withRotations(history, ({ keys, accounts }) => {
      const refused = keys.reduce((sum, key) => sum + key.refused, 0);
      return findingOf(
        [
          ...keys.flatMap((key, index) => (key.accepted === 0 ? [`key ${index + 1} was never used`] : [])),
          ...keys.slice(0, -1).flatMap((key, index) => (key.revoked ? [] : [`key ${index + 1} was not revoked`])),
          ...(refused === 0 ? ['no worker used a revoked key, so the replacement was not tested'] : []),
          ...(accounts.left > 1 ? [`${accounts.left} service accounts are left, expected the current one`] : []),
        ],
        `${plural(keys.length, 'key')} in turn, ${plural(refused, 'refusal')}; ${accounts.created} service accounts created, ${accounts.left} left`,
      );
    }),
};

function withRotations({ rotations }: DrillHistory, check: (rotations: RotationHistory) => Finding): Finding {
  return rotations === undefined
    ? { held: true, detail: 'not checked: the scenario rotates no secret' }
    : check(rotations);
}
