import {
  AppConfigDataClient,
  GetLatestConfigurationCommand,
  StartConfigurationSessionCommand,
} from '@aws-sdk/client-appconfigdata';
import { configurationArn } from '../../../rehearsal/services/appconfig/model';
import { AppConfigWorld } from './support';

const MINUTE = 60_000;

let world: AppConfigWorld;
let client: AppConfigDataClient;

beforeEach(async () => {
  world = await AppConfigWorld.start();
  await world.prepare();
  client = new AppConfigDataClient(world.rig.operator);
});

afterEach(async () => {
  client.destroy();
  await world.stop();
});

async function session(from = client): Promise<string | undefined> {
  const { InitialConfigurationToken } = await from.send(
    new StartConfigurationSessionCommand({
      ApplicationIdentifier: world.application,
      EnvironmentIdentifier: world.environment,
      ConfigurationProfileIdentifier: world.profile,
      RequiredMinimumPollIntervalInSeconds: 15,
    }),
  );
  return InitialConfigurationToken;
}

async function latest(token: string | undefined, from = client) {
  const answer = await from.send(new GetLatestConfigurationCommand({ ConfigurationToken: token }));
  const text = Buffer.from(answer.Configuration ?? []).toString();
  return {
    document: text === '' ? undefined : JSON.parse(text),
    token: answer.NextPollConfigurationToken,
    seconds: answer.NextPollIntervalInSeconds,
  };
}

describe('a session', () => {
  test('gets the configuration once, and nothing while it is unchanged', async () => {
    await world.deploy({ a: 1 });
    const first = await latest(await session());
    expect(first).toMatchObject({ document: { a: 1 }, seconds: 15 });
    await world.clock.advance(15_000);
    const second = await latest(first.token);
    expect(second.document).toBeUndefined();
    await world.deploy({ a: 2 });
    expect((await latest(second.token)).document).toEqual({ a: 2 });
  });

  test('fails with a token that was used before, and with a call before its time', async () => {
    await world.deploy({ a: 1 });
    const token = await session();
    const { token: next } = await latest(token);
    await expect(latest(token)).rejects.toMatchObject({ name: 'BadRequestException' });
    await expect(latest(next)).rejects.toMatchObject({ name: 'BadRequestException' });
  });

  test('fails with a token of the day before', async () => {
    await world.deploy({ a: 1 });
    const token = await session();
    await world.clock.advance(25 * 60 * MINUTE);
    await expect(latest(token)).rejects.toMatchObject({ name: 'BadRequestException' });
  });

  test('fails while nothing is deployed', async () => {
    await expect(latest(await session())).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('is for those whom a policy lets in, on this configuration', async () => {
    await world.deploy({ a: 1 });
    const allow = (name: string, profile: string) => ({
      Effect: 'Allow',
      Action: ['appconfig:StartConfigurationSession', 'appconfig:GetLatestConfiguration'],
      Resource: configurationArn(world.application, world.environment, profile),
      Sid: name,
    });
    const reader = new AppConfigDataClient(world.rig.role('reader', allow('Own', world.profile)));
    const token = await session(reader);
    expect((await latest(token, reader)).document).toEqual({ a: 1 });
    // A call that is repeated after its answer was lost is no matter of permission.
    await expect(latest(token, reader)).rejects.toMatchObject({ name: 'BadRequestException' });
    const stranger = new AppConfigDataClient(world.rig.role('stranger', allow('Other', 'other')));
    await expect(session(stranger)).rejects.toMatchObject({ name: 'AccessDeniedException' });
    reader.destroy();
    stranger.destroy();
  });
});

describe('a deployment', () => {
  test('grows over the callers, bakes, and is complete', async () => {
    await world.deploy({ a: 1 });
    const { done } = await world.begin({ a: 2 });
    world.draws = [0.3, 0.7, 0.7];
    expect((await latest(await session())).document).toEqual({ a: 2 });
    expect((await latest(await session())).document).toEqual({ a: 1 });
    await world.clock.advance(5 * MINUTE);
    expect((await latest(await session())).document).toEqual({ a: 2 });
    await world.clock.advance(5 * MINUTE);
    expect(world.appConfig.deployments().at(-1)?.state).toBe('BAKING');
    await world.clock.advance(5 * MINUTE);
    await done;
    const [, view] = world.appConfig.deployments();
    expect(view).toMatchObject({ number: 2, state: 'COMPLETE', content: '{"a":2}' });
    expect(view?.shares.map(({ percent }) => percent)).toEqual([50, 100]);
  });

  test.each([
    ['while it grows', 2 * MINUTE],
    ['while it bakes', 12 * MINUTE],
  ])('is rolled back for every caller by an alarm %s', async (_, after) => {
    await world.deploy({ a: 1 });
    const { done } = await world.begin({ a: 2 });
    const first = await latest(await session());
    expect(first.document).toEqual({ a: 2 });
    await world.clock.advance(after);
    world.alarm = 'ALARM';
    await world.clock.advance(11_000);
    await expect(done).rejects.toThrow('deployment 2 was rolled back: in ALARM: flag (because)');
    expect((await latest(first.token)).document).toEqual({ a: 1 });
    expect(world.appConfig.deployments().at(-1)?.shares.at(-1)?.percent).toBe(0);
  });

  test('is not rolled back by an alarm once it is complete', async () => {
    await world.deploy({ a: 1 });
    world.alarm = 'ALARM';
    await world.clock.advance(MINUTE);
    expect((await latest(await session())).document).toEqual({ a: 1 });
  });

  test('fails beside another one of the same environment', async () => {
    await world.begin({ a: 1 });
    await expect((await world.begin({ a: 2 })).done).rejects.toThrow('is already in progress');
  });

  test('fails with a role that AppConfig may not assume', async () => {
    await world.prepare({ role: 'arn:aws:iam::123456789012:role/missing' });
    await expect((await world.begin({ a: 1 })).done).rejects.toThrow('role/missing does not exist');
  });

  test('fails for a configuration that its validator refuses', async () => {
    await world.prepare({ validators: ['{"type":"object","required":["b"]}'] });
    await expect((await world.begin({ a: 1 })).done).rejects.toThrow("must have required property 'b'");
  });
});
