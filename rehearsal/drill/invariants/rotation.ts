import type { DrillHistory, RotationHistory } from '../report/history';
import { type Finding, type Invariant, judge, plural } from './invariant';

export const rotationsComplete: Invariant = {
  name: 'rotations-complete',
  promise: 'every rotation comes to its end and leaves no version pending',
  check: (history) =>
    withRotations(history, ({ rotations }) =>
      judge(
        rotations.filter(({ completed }) => !completed).map(({ secret }) => `a rotation of ${secret} did not complete`),
        plural(rotations.length, 'rotation'),
      ),
    ),
};

export const rotationsHarmNobody: Invariant = {
  name: 'rotations-harm-nobody',
  promise: 'no task fails while keys rotate, not even when the key in use is revoked',
  check: (history) =>
    withRotations(history, () =>
      judge(
        history.tasks.filter(({ status }) => status !== 'succeeded').map(({ id, status }) => `task ${id} is ${status}`),
        `all ${plural(history.tasks.length, 'task')} succeeded`,
      ),
    ),
};

export const keysAreUsedAndRevoked: Invariant = {
  name: 'keys-really-change',
  promise: 'workers use each new key, those before are revoked, and for a refused key they find another',
  check: (history) =>
    withRotations(history, ({ keys, accounts }) => {
      const refused = keys.reduce((sum, key) => sum + key.refused, 0);
      return judge(
        [
          ...keys.flatMap((key, index) => (key.accepted === 0 ? [`key ${index + 1} was never used`] : [])),
          ...keys.slice(0, -1).flatMap((key, index) => (key.revoked ? [] : [`key ${index + 1} was not revoked`])),
          ...(refused === 0 ? ['no worker ever met a refusal, so none had to find another key'] : []),
          ...(accounts.left > 1 ? [`${accounts.left} service accounts are left, expected the current one`] : []),
        ],
        `${plural(keys.length, 'key')} in turn, ${plural(refused, 'refusal')}; ${accounts.created} service accounts created, ${accounts.left} left`,
      );
    }),
};

function withRotations({ rotations }: DrillHistory, check: (rotations: RotationHistory) => Finding): Finding {
  return rotations === undefined ? { held: true, detail: 'not judged: nothing rotated' } : check(rotations);
}
