import { PutSecretValueCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { ROTATION_STEPS, RotationMetric, type RotationStep } from '../../../../lib/contract';
import {
  ADMIN_KEY,
  GRACE_MS,
  HOUR_MS,
  OLD_KEY,
  POOL_KEYS,
  RotationCloud,
  type Strategy,
} from './support/rotation-cloud';

const TOKEN = '11111111-2222-4333-8444-555555555555';

let cloud: RotationCloud;
afterEach(() => cloud.stop());

/** States of the secret in which a step may find it. */
type State = 'no version' | 'no label' | 'previous' | 'pending, empty' | 'pending, with a value' | 'current';

async function bring(state: State): Promise<void> {
  const { client, arn } = cloud;
  if (state === 'no version') {
    return;
  }
  if (state === 'pending, empty') {
    // As Secrets Manager leaves it before the first step: a version that has a label and no value.
    cloud.disturb = () => 'failed';
    await cloud.rotate(TOKEN);
    cloud.disturb = () => undefined;
    cloud.failures.length = 0;
    cloud.metricLines.length = 0;
    return;
  }
  const key = POOL_KEYS[0] ?? '';
  if (state === 'previous') {
    await cloud.put(arn, key, { ClientRequestToken: TOKEN });
    await cloud.put(arn, OLD_KEY);
    return;
  }
  const stages = state === 'current' ? ['AWSCURRENT'] : ['AWSPENDING'];
  await client.send(
    new PutSecretValueCommand({ SecretId: arn, SecretString: key, ClientRequestToken: TOKEN, VersionStages: stages }),
  );
  if (state === 'no label') {
    await client.send(
      new UpdateSecretVersionStageCommand({ SecretId: arn, VersionStage: 'AWSPENDING', RemoveFromVersionId: TOKEN }),
    );
  }
}

/** What each step does to a secret in each state: the labels of the version afterwards, or why it refuses. */
const MATRIX: readonly (readonly [State, Readonly<Record<RotationStep, readonly string[] | RegExp>>])[] = [
  ['no version', refused(/is not among the versions/)],
  ['no label', refused(/is not among the versions/)],
  ['previous', refused(/does not have the label AWSPENDING but AWSPREVIOUS: its rotation was cancelled/)],
  [
    'pending, empty',
    {
      createSecret: ['AWSPENDING'],
      setSecret: ['AWSPENDING'],
      testSecret: ['AWSPENDING'],
      finishSecret: /has no value: it cannot become the current one/,
    },
  ],
  [
    'pending, with a value',
    {
      createSecret: ['AWSPENDING'],
      setSecret: ['AWSPENDING'],
      testSecret: ['AWSPENDING'],
      finishSecret: ['AWSCURRENT', 'AWSPENDING'],
    },
  ],
  [
    'current',
    {
      createSecret: ['AWSCURRENT'],
      setSecret: ['AWSCURRENT'],
      testSecret: ['AWSCURRENT'],
      finishSecret: ['AWSCURRENT'],
    },
  ],
];

function refused(reason: RegExp): Readonly<Record<RotationStep, RegExp>> {
  return { createSecret: reason, setSecret: reason, testSecret: reason, finishSecret: reason };
}

const CASES = (['service accounts', 'pool'] as const satisfies readonly Strategy[]).flatMap((strategy) =>
  MATRIX.flatMap(([state, steps]) => ROTATION_STEPS.map((step) => ({ strategy, state, step, expected: steps[step] }))),
);

test.each(CASES)('$step of $strategy, version: $state', async ({ strategy, state, step, expected }) => {
  cloud = await RotationCloud.start(strategy);
  await bring(state);
  const [current, accounts] = [await cloud.value(), cloud.provider.list().length];
  const once = () => cloud.step({ Step: step, SecretId: cloud.arn, ClientRequestToken: TOKEN });
  if (expected instanceof RegExp) {
    await expect(once()).rejects.toThrow(expected);
    expect(await cloud.value()).toBe(current);
    return;
  }
  // Twice is as good as once: Secrets Manager repeats steps.
  for (let time = 0; time < 2; time += 1) {
    await once();
    const labels = (await cloud.labels())[TOKEN] ?? [];
    expect(labels.filter((label) => label.startsWith('AWS')).sort()).toEqual(expected);
  }
  const created = step === 'createSecret' && state === 'pending, empty';
  expect(cloud.provider.list().length - accounts).toBe(created && strategy === 'service accounts' ? 1 : 0);
  expect((await cloud.value('AWSPENDING')) !== undefined).toBe(
    expected.includes('AWSPENDING') && (created || state !== 'pending, empty'),
  );
  if (step !== 'finishSecret') {
    expect(await cloud.value()).toBe(current);
  } else {
    expect(cloud.metric(RotationMetric.ROTATED)).toContain(1);
    expect(cloud.metric(RotationMetric.AGE)).toContain(0);
  }
});

describe('service accounts', () => {
  test('are named after secret and version, and the version says which is its own', async () => {
    cloud = await RotationCloud.start('service accounts');
    const version = await cloud.rotate();
    const [account] = cloud.provider.list();
    expect(account?.name).toMatch(new RegExp(`^agent-lanes-[0-9a-f]{12}-${version}$`));
    expect((await cloud.labels())[version]).toEqual([`service-account:${account?.id}`, 'AWSCURRENT']);
    expect(await cloud.value()).toMatch(/^sk-svcacct-/);
  });

  test('fails with advice and changes nothing when the admin key is wrong', async () => {
    cloud = await RotationCloud.start('service accounts');
    await cloud.put(cloud.admin, 'sk-wrong-planted-0123456789');
    await cloud.rotate();
    expect(String(cloud.failures[0])).toMatch(
      /answered 401 \(invalid_api_key\); put an admin key that may manage service accounts into the admin secret/,
    );
    expect(await cloud.value()).toBe(OLD_KEY);
    expect(String(cloud.failures[0])).not.toContain('planted');
  });

  test('fails when the provider never accepts the new key: the old one stays current', async () => {
    cloud = await RotationCloud.start('service accounts');
    await cloud.rotate(TOKEN);
    const current = await cloud.value();
    const rotating = cloud.put(cloud.arn, 'sk-unknown-planted-0123456', {
      ClientRequestToken: '21111111-2222-4333-8444-555555555555',
      VersionStages: ['AWSPENDING'],
    });
    const event = { Step: 'testSecret', SecretId: cloud.arn, ClientRequestToken: await rotating } as const;
    await expect(cloud.step(event)).rejects.toThrow(/was tried 5 times and rejected: GET .*\/v1\/models answered 401/);
    expect(await cloud.value()).toBe(current);
  });

  test('that were in use before stay valid until their grace period is over, however often the watch comes', async () => {
    cloud = await RotationCloud.start('service accounts');
    await cloud.rotate();
    const before = (await cloud.value()) ?? '';
    await cloud.rotate();
    const rotatedAt = cloud.clock.now();
    for (let hour = 1; cloud.clock.now() + HOUR_MS - rotatedAt < GRACE_MS; hour += 1) {
      await cloud.clock.advance(HOUR_MS);
      await cloud.watch();
      expect({ hour, accepted: cloud.provider.accepts(before) }).toEqual({ hour, accepted: true });
    }
    await cloud.clock.advance(HOUR_MS);
    await cloud.watch();
    expect(cloud.provider.accepts(before)).toBe(false);
    expect(cloud.provider.accepts((await cloud.value()) ?? '')).toBe(true);
  });

  test('of another secret in the project are left alone', async () => {
    cloud = await RotationCloud.start('service accounts');
    await cloud.rotate();
    const other = cloud.provider.list().length;
    cloud.arn = cloud.secrets.putSecret('another', OLD_KEY);
    await cloud.rotate();
    await cloud.clock.advance(40 * 24 * 3_600_000);
    await cloud.watch();
    expect(cloud.provider.list()).toHaveLength(other + 1);
  });

  test('of more than one page are all known', async () => {
    cloud = await RotationCloud.start('service accounts');
    for (let n = 0; n < 130; n += 1) {
      // Creations whose answers are lost: their keys never reach the secret.
      await cloud.props.source.create(await cloud.versions.describe(cloud.arn), `lost-${n}`);
    }
    expect(cloud.provider.list()).toHaveLength(130);
    await cloud.clock.advance(3_600_000);
    await cloud.watch();
    expect(cloud.provider.list()).toEqual([]);
  });

  test('are removed by an attempt that another one has overtaken', async () => {
    cloud = await RotationCloud.start('service accounts');
    await bring('pending, empty');
    const create = () => cloud.step({ Step: 'createSecret', SecretId: cloud.arn, ClientRequestToken: TOKEN });
    await Promise.all([create(), create()]);
    expect(cloud.provider.list()).toHaveLength(1);
    expect(cloud.provider.accepts((await cloud.value('AWSPENDING')) ?? '')).toBe(true);
  });
});

describe('a pool', () => {
  test('is used in its order, and a warning is logged when it is almost empty', async () => {
    cloud = await RotationCloud.start('pool');
    for (const [index, key] of POOL_KEYS.entries()) {
      await cloud.rotate();
      expect(await cloud.value()).toBe(key);
      expect(cloud.metric(RotationMetric.POOL_REMAINING).at(-1)).toBe(POOL_KEYS.length - 1 - index);
    }
    expect(cloud.log.find('almost empty').fields).toMatchObject({ left: 1 });
  });

  test('fails with advice and changes nothing when it is empty; works again when people add a key', async () => {
    cloud = await RotationCloud.start('pool', { value: POOL_KEYS.at(-1) ?? '' });
    const version = await cloud.rotate();
    expect(String(cloud.failures[0])).toMatch(/has no unused key, so nothing was changed.*add new keys/);
    expect(await cloud.value()).toBe(POOL_KEYS.at(-1));
    expect(cloud.metric(RotationMetric.POOL_REMAINING)).toContain(0);
    cloud.provider.faultFor = () => undefined;
    // The used ones may be taken away at the same time.
    await cloud.put(cloud.pool, JSON.stringify([POOL_KEYS[2], POOL_KEYS[0]]));
    await cloud.rotate(version);
    expect(await cloud.value()).toBe(POOL_KEYS[0]);
  });

  test.each([
    ['no JSON', 'sk-plain-planted'],
    ['no list', '{"key": "sk-planted"}'],
    ['a key twice', '["sk-planted", "sk-planted"]'],
    ['an empty key', '[""]'],
  ])('fails with advice, and without the text, for %s', async (_, text) => {
    cloud = await RotationCloud.start('pool');
    await cloud.put(cloud.pool, text);
    await cloud.rotate();
    expect(String(cloud.failures[0])).toMatch(/is not a list of keys: it must be a JSON array/);
    expect(String(cloud.failures[0])).not.toContain('planted');
  });

  test('tells of its unused keys every hour', async () => {
    cloud = await RotationCloud.start('pool');
    await cloud.watch();
    expect(cloud.metric(RotationMetric.POOL_REMAINING)).toEqual([3]);
  });
});

test('a schedule that does not rotate at once tries the function, and a missing admin key is said and no failure', async () => {
  cloud = await RotationCloud.start('service accounts');
  await bring('pending, empty');
  await cloud.put(cloud.admin, 'sk-wrong-planted-0123456789');
  await cloud.step({ Step: 'testSecret', SecretId: cloud.arn, ClientRequestToken: TOKEN });
  expect(cloud.log.find('rotation is not configured yet').fields.reason).toContain('answered 401');
  await cloud.put(cloud.admin, ADMIN_KEY);
  await cloud.step({ Step: 'testSecret', SecretId: cloud.arn, ClientRequestToken: TOKEN });
  cloud.log.find('rotation is configured');
});

describe('the watch', () => {
  test('fails when it cannot do its work, but not before the first rotation: people may put the admin key in later', async () => {
    cloud = await RotationCloud.start('service accounts');
    await cloud.put(cloud.admin, 'random, as a new secret is');
    await cloud.watch();
    expect(cloud.log.find('rotation is not configured yet').fields.reason).toContain('answered 401');
    expect(cloud.metric(RotationMetric.AGE)).toEqual([0]);
    await cloud.put(cloud.admin, ADMIN_KEY);
    await cloud.rotate();
    await cloud.put(cloud.admin, 'random, as a new secret is');
    await expect(cloud.watch()).rejects.toThrow('answered 401');
  });
});

describe('the age of the value', () => {
  const days = (count: number) => count * 24 * 3_600_000;

  test('counts from the last rotation, or from the value that was put by hand since', async () => {
    cloud = await RotationCloud.start('service accounts');
    await cloud.rotate();
    await cloud.clock.advance(days(3));
    await cloud.watch();
    expect(cloud.metric(RotationMetric.AGE).at(-1)).toBeCloseTo(3, 1);
    await cloud.put(cloud.arn, 'sk-by-hand-0123456789');
    await cloud.clock.advance(days(1));
    await cloud.watch();
    expect(cloud.metric(RotationMetric.AGE).at(-1)).toBeCloseTo(1, 1);
  });
});

test('no key is ever written to the log, to a metric or into an error', async () => {
  cloud = await RotationCloud.start('service accounts');
  await cloud.rotate();
  const [first, other] = [await cloud.value(), 'sk-unknown-planted-0123456'];
  await cloud.rotate();
  await cloud.put(cloud.admin, 'sk-wrong-planted-0123456789');
  await cloud.rotate();
  await cloud.watch().catch((error: unknown) => cloud.failures.push(error));
  const said = JSON.stringify([
    cloud.log.lines,
    cloud.metricLines,
    cloud.failures.map((failure) => [String(failure), (failure as Error).stack, (failure as Error).cause]),
  ]);
  for (const key of [first, await cloud.value(), other, ADMIN_KEY, OLD_KEY, 'planted']) {
    expect(said).not.toContain(key);
  }
});
