import { AppConfigFlags } from '../../../../lambda/runtime/flags/appconfig-flags';
import type { FlagSettings, FlagsDocument } from '../../../../lib/contract';
import { OPERATOR_CREDENTIALS } from '../../../../rehearsal/core/principal';
import { AppConfigWorld } from '../../../rehearsal/appconfig/support';

const on = (percent: number): FlagsDocument => ({ careful: { default: false, variant: true, percent } });

const before = process.env;
let world: AppConfigWorld;
let lines: { readonly level: string; readonly message: string; readonly fields: unknown }[];

beforeEach(async () => {
  world = await AppConfigWorld.start();
  await world.prepare({ growth: 100 });
  lines = [];
  process.env = {
    ...before,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: OPERATOR_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: OPERATOR_CREDENTIALS.secretAccessKey,
    AWS_ENDPOINT_URL_APPCONFIGDATA: world.rig.apiServer.url,
  };
});

afterEach(async () => {
  await world.stop();
  process.env = before;
});

function source(changes: Partial<FlagSettings> = {}, random = () => 0): AppConfigFlags {
  const log = (level: string) => (message: string, fields: unknown) => {
    lines.push({ level, message, fields });
  };
  return new AppConfigFlags({
    settings: {
      application: world.application,
      environment: world.environment,
      profile: world.profile,
      defaults: { careful: false },
      ...changes,
    },
    clock: world.clock,
    random,
    logger: { info: log('info'), warn: log('warn'), error: log('error') } as never,
  });
}

const calls = () => world.rig.apiServer.counts()['appconfig.GetLatestConfiguration'] ?? 0;

test('all tasks of an environment share one call, until it is time for the next', async () => {
  await world.deploy(on(100));
  const flags = source();
  const values = await Promise.all(['ann', 'bob', 'eve'].map((user) => flags.value('careful', user)));
  expect(values).toEqual([true, true, true]);
  expect(calls()).toBe(1);
  await world.clock.advance(14_999);
  await flags.value('careful', 'ann');
  expect(calls()).toBe(1);
  await world.deploy(on(0));
  expect(await flags.value('careful', 'ann')).toBe(false);
  expect(calls()).toBe(2);
});

test('workers that began together do not ask together for ever', async () => {
  await world.deploy(on(100));
  const late = source({}, () => 0.999);
  await late.value('careful', 'ann');
  await world.clock.advance(17_900);
  await late.value('careful', 'ann');
  expect(calls()).toBe(1);
  await world.clock.advance(200);
  await late.value('careful', 'ann');
  expect(calls()).toBe(2);
});

test('an unchanged document stands, although its answer is empty', async () => {
  await world.deploy(on(100));
  const flags = source();
  await flags.value('careful', 'ann');
  await world.clock.advance(15_000);
  expect(await flags.value('careful', 'ann')).toBe(true);
  expect(calls()).toBe(2);
  expect(lines.filter(({ message }) => message === 'flags read')).toHaveLength(1);
});

test('a session that expired while the environment was frozen is replaced by a new one', async () => {
  await world.deploy(on(100));
  const flags = source();
  await flags.value('careful', 'ann');
  await world.deploy(on(0));
  await world.clock.advance(25 * 3_600_000);
  expect(await flags.value('careful', 'ann')).toBe(false);
  expect(lines.filter(({ level }) => level === 'warn')).toEqual([]);
});

describe('when AppConfig is away', () => {
  test('the defaults stand before anything was read, and each task does not ask again', async () => {
    process.env.AWS_ENDPOINT_URL_APPCONFIGDATA = 'http://127.0.0.1:9';
    const flags = source();
    expect(await flags.value('careful', 'ann')).toBe(false);
    expect(await flags.value('careful', 'bob')).toBe(false);
    expect(lines).toMatchObject([{ level: 'warn', message: 'the flags could not be read; their defaults apply' }]);
  });

  test('what was read last stands, and what is new is read when it is back', async () => {
    await world.deploy(on(100));
    const flags = source();
    await flags.value('careful', 'ann');
    const rig = world.rig;
    const added = rig.iam.decide;
    rig.iam.decide = () => ({ allowed: false, reason: 'away' });
    await world.clock.advance(20_000);
    expect(await flags.value('careful', 'ann')).toBe(true);
    expect(lines.at(-1)).toMatchObject({ message: 'the flags could not be refreshed; the last values apply' });
    rig.iam.decide = added;
    await world.deploy(on(0));
    expect(await flags.value('careful', 'ann')).toBe(false);
  });
});

test('a flag that the document lacks, or has in another type, says its default', async () => {
  await world.deploy({ careful: { default: 'a', variant: 'b', percent: 100 } });
  const flags = source({ defaults: { careful: false, turns: 3 } });
  expect(await flags.value('careful', 'ann')).toBe(false);
  expect(await flags.value('turns', 'ann')).toBe(3);
});

test('a configuration that is no document is refused, and what was read before it stands', async () => {
  await world.deploy(on(100));
  const flags = source();
  await flags.value('careful', 'ann');
  await world.deploy({ careful: true });
  expect(await flags.value('careful', 'ann')).toBe(true);
  expect(lines.at(-1)).toMatchObject({ level: 'error', fields: { component: 'flags', outcome: 'refused' } });
});

test('fails for a flag that the service does not have', async () => {
  await expect(source().value('other', 'ann')).rejects.toMatchObject({ code: 'flag_unknown' });
});
