import { checkRollout } from '../../../../lambda/functions/rollout-check/rollout-check';
import { isStackRollback } from '../../../../lambda/functions/rollout-check/stack-rollback';
import type { CustomResourceEvent } from '../../../../lambda/shared/aws/custom-resource';
import type { AliasSnapshot } from '../../../../lib/contract';
import { awsError, FakeClock, START } from '../../shared/support/fakes';

const properties = {
  ServiceToken: 'arn',
  Release: 'r-0123456789ab',
  RouterFunction: 'router',
  RouterVersion: '8',
  WaitSeconds: 120,
};
const half: AliasSnapshot = { version: '7', shift: { version: '8', weight: 0.5 } };

async function check(says: (waited: number) => AliasSnapshot) {
  const clock = new FakeClock();
  const result = checkRollout(properties, { clock, readAlias: async () => says(clock.time - START) });
  await result.catch(() => {});
  return { result, waited: clock.time - START };
}

test('passes at once when the alias is wholly on the version', async () => {
  const { result, waited } = await check(() => ({ version: '8' }));
  await expect(result).resolves.toBeUndefined();
  expect(waited).toBe(0);
});

test('waits for a shift to end', async () => {
  const { result, waited } = await check((time) => (time < 100_000 ? half : { version: '8' }));
  await expect(result).resolves.toBeUndefined();
  expect(waited).toBe(100_000);
});

test('a look that failed is no verdict', async () => {
  const { result } = await check((time) => {
    if (time < 30_000) {
      throw awsError('TooManyRequestsException');
    }
    return { version: '8' };
  });
  await expect(result).resolves.toBeUndefined();
});

test.each<[string, () => AliasSnapshot, string]>([
  ['stayed on another version', () => ({ version: '7' }), 'is on version 7 after 120 s'],
  ['is still shifting', () => half, 'is on version 7 with 50 % on version 8'],
  [
    'has weights beside the version',
    () => ({ version: '8', shift: { version: '7', weight: 0.1 } }),
    'with 10 % on version 7',
  ],
  [
    'cannot be read',
    () => {
      throw awsError('AccessDeniedException');
    },
    'could not be read (AccessDeniedException',
  ],
])('fails when the alias %s, naming what it saw', async (_, says, reason) => {
  const { result, waited } = await check(says);
  await expect(result).rejects.toThrow(reason);
  await expect(result).rejects.toThrow('wholly on version 8');
  expect(waited).toBe(120_000);
});

function event(RequestType: CustomResourceEvent['RequestType'], next: object, before?: object): CustomResourceEvent {
  const text = { ...properties, WaitSeconds: '120' };
  return {
    RequestType,
    ResponseURL: 'https://example.com',
    StackId: 'stack',
    RequestId: 'request',
    ResourceType: 'Custom::AgentLanesRolloutCheck',
    LogicalResourceId: 'Check',
    ResourceProperties: { ...text, ...next },
    ...(before === undefined ? {} : { OldResourceProperties: { ...text, ...before } }),
  };
}

test.each([
  ['an update to a lower version', event('Update', { RouterVersion: '9' }, { RouterVersion: '10' }), true],
  ['an update to a higher version', event('Update', { RouterVersion: '10' }, { RouterVersion: '9' }), false],
  ['another function', event('Update', { RouterVersion: '1', RouterFunction: 'new' }, { RouterVersion: '9' }), false],
  ['a creation', event('Create', { RouterVersion: '1' }), false],
])('stack rollback: %s → %p', (_, given, expected) => {
  expect(isStackRollback(given)).toBe(expected);
});
