import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import type { InvokeRequest } from '../../../rehearsal/core/ports';
import { createSecretsManager, type SecretsManager } from '../../../rehearsal/services/secretsmanager';
import { ManualClock } from '../../support/manual-clock';
import { Resource, type Rig, startRig } from '../api-server/support';

const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:rotation';
const DAY_MS = 24 * 60 * 60_000;

let clock: ManualClock;
let secrets: SecretsManager;
let rig: Rig;
let client: SecretsManagerClient;
let arn: string;
let steps: { Step: string; SecretId: string; ClientRequestToken: string }[];
/** What the function does; throws to fail. */
let rotate: (step: string, token: string) => Promise<void>;
let invokers: InvokeRequest['invoker'][];

beforeEach(async () => {
  clock = new ManualClock();
  steps = [];
  invokers = [];
  rig = await startRig((iam) => {
    iam.attachResourcePolicy(FUNCTION, 'rotation', {
      Version: '2012-10-17',
      Statement: {
        Effect: 'Allow',
        Principal: { Service: 'secretsmanager.amazonaws.com' },
        Action: 'lambda:InvokeFunction',
        Resource: FUNCTION,
        Condition: { StringEquals: { 'aws:SourceAccount': '123456789012' } },
      },
    });
    const lambda = {
      invoke: async ({ payload, invoker }: InvokeRequest) => {
        const event = JSON.parse(payload);
        steps.push(event);
        invokers.push(invoker);
        const failed = await rotate(event.Step, event.ClientRequestToken).then(
          () => false,
          () => true,
        );
        const result = { status: 200, payload: 'null', executedVersion: '1' };
        return failed ? { ...result, functionError: 'Unhandled' } : result;
      },
    };
    secrets = createSecretsManager({ clock, iam, lambda });
    return [secrets.service];
  });
  client = new SecretsManagerClient(rig.operator);
  arn = secrets.putSecret('key', 'key-0');
  rotate = well;
});
afterEach(async () => {
  await secrets.stop();
  await rig.stop();
});

/** A function that does as it should. */
async function well(step: string, token: string): Promise<void> {
  if (step === 'createSecret') {
    const put = { SecretId: arn, SecretString: `key of ${token}`, VersionStages: ['AWSPENDING'] };
    await client.send(new PutSecretValueCommand({ ...put, ClientRequestToken: token }));
  }
  if (step === 'finishSecret') {
    const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId: arn }));
    const [current] = Object.entries(VersionIdsToStages).find(([, stages]) => stages.includes('AWSCURRENT')) ?? [];
    await label('AWSCURRENT', token, current);
  }
}

function label(VersionStage: string, to?: string, from?: string) {
  return client.send(
    new UpdateSecretVersionStageCommand({
      SecretId: arn,
      VersionStage,
      MoveToVersionId: to,
      RemoveFromVersionId: from,
    }),
  );
}

const start = (more: object = {}) =>
  client.send(new RotateSecretCommand({ SecretId: arn, RotationLambdaARN: FUNCTION, ...more }));
const value = async (VersionStage: string) =>
  (await client.send(new GetSecretValueCommand({ SecretId: arn, VersionStage }))).SecretString;
const describeSecret = () => client.send(new DescribeSecretCommand({ SecretId: arn }));

/** Real time goes by until the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The clock advances until the rotation succeeded or was abandoned. */
async function settled(): Promise<void> {
  let over = false;
  void secrets.rotationsSettled().then(() => {
    over = true;
  });
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (clock.timers > 0) {
      await clock.advance(60_000);
    }
  }
}

describe('a rotation', () => {
  test('asks for four steps under one token, and takes its label off in the end', async () => {
    const { VersionId = '' } = await start();
    await secrets.rotationsSettled();
    expect(steps.map(({ Step }) => Step)).toEqual(['createSecret', 'setSecret', 'testSecret', 'finishSecret']);
    expect(new Set(steps.map(({ ClientRequestToken }) => ClientRequestToken))).toEqual(new Set([VersionId]));
    expect(invokers[0]).toEqual({ service: 'secretsmanager.amazonaws.com', sourceArn: arn });
    expect(await value('AWSCURRENT')).toBe(`key of ${VersionId}`);
    expect(await value('AWSPREVIOUS')).toBe('key-0');
    await expect(value('AWSPENDING')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    const { LastRotatedDate, RotationEnabled, RotationLambdaARN } = await describeSecret();
    expect({ LastRotatedDate, RotationEnabled, RotationLambdaARN }).toEqual({
      LastRotatedDate: new Date(clock.now()),
      RotationEnabled: true,
      RotationLambdaARN: FUNCTION,
    });
  });

  test('begins with an empty version that is labeled AWSPENDING', async () => {
    let seen: unknown;
    rotate = async (_, token) => {
      seen ??= [
        (await describeSecret()).VersionIdsToStages?.[token],
        await value('AWSPENDING').catch((error: Error) => error.name),
      ];
      throw new Error('no further');
    };
    await start();
    await until(() => seen !== undefined);
    expect(seen).toEqual([['AWSPENDING'], 'ResourceNotFoundException']);
  });

  test('is repeated from its first step when one fails, under the same token', async () => {
    let failures = 2;
    rotate = async (step, token) => {
      if (step === 'testSecret' && failures-- > 0) {
        throw new Error('not accepted');
      }
      await well(step, token);
    };
    await start();
    await until(() => clock.timers > 0);
    await clock.advance(60_000);
    await until(() => steps.length === 6);
    await until(() => clock.timers > 0);
    await clock.advance(120_000);
    await secrets.rotationsSettled();
    expect(steps).toHaveLength(10);
    expect(new Set(steps.map(({ ClientRequestToken }) => ClientRequestToken)).size).toBe(1);
    expect(await value('AWSPREVIOUS')).toBe('key-0');
  });

  test('that is stuck refuses the next one, but continues under its own token', async () => {
    rotate = async () => Promise.reject(new Error('down'));
    const { VersionId } = await start();
    await settled();
    expect(steps).toHaveLength(5);
    await expect(start()).rejects.toMatchObject({ name: 'InvalidRequestException' });
    rotate = well;
    await start({ ClientRequestToken: VersionId });
    await secrets.rotationsSettled();
    expect(await value('AWSCURRENT')).toBe(`key of ${VersionId}`);
  });

  test('comes by itself when it is time, on the cloud clock', async () => {
    await start({ RotationRules: { ScheduleExpression: 'rate(2 days)' }, RotateImmediately: false });
    expect(steps.map(({ Step }) => Step)).toEqual(['testSecret']);
    expect((await describeSecret()).NextRotationDate).toEqual(new Date(clock.now() + 2 * DAY_MS));
    await clock.advance(2 * DAY_MS - 1);
    expect(steps).toHaveLength(1);
    await clock.advance(1);
    await until(() => steps.length === 5);
    await secrets.rotationsSettled();
    expect(await value('AWSPREVIOUS')).toBe('key-0');
    expect((await describeSecret()).NextRotationDate).toEqual(new Date(clock.now() + 2 * DAY_MS));
  });

  test('that is not to happen at once only tries the last but one step, on a version that is gone afterwards', async () => {
    await start({ RotateImmediately: false });
    expect(steps.map(({ Step }) => Step)).toEqual(['testSecret']);
    expect(Object.values((await describeSecret()).VersionIdsToStages ?? {})).toEqual([['AWSCURRENT']]);
  });

  test('is refused without a function, and when the function does not let the service in', async () => {
    const bare = client.send(new RotateSecretCommand({ SecretId: arn }));
    await expect(bare).rejects.toThrow('No Lambda rotation function ARN is associated with this secret.');
    const other = start({ RotationLambdaARN: `${FUNCTION}-other` });
    await expect(other).rejects.toMatchObject({ name: 'AccessDeniedException' });
    expect(steps).toEqual([]);
  });
});

describe('labels', () => {
  const token = '1'.repeat(32);

  beforeEach(async () => {
    await client.send(
      new PutSecretValueCommand({
        SecretId: arn,
        SecretString: 'key-1',
        ClientRequestToken: token,
        VersionStages: ['AWSPENDING', 'mine'],
      }),
    );
  });

  test('move when the version is named that has them; the current one becomes the previous', async () => {
    const before = Object.entries((await describeSecret()).VersionIdsToStages ?? {}).find(
      ([, [stage]]) => stage === 'AWSCURRENT',
    );
    await expect(label('AWSCURRENT', token)).rejects.toMatchObject({ name: 'InvalidParameterException' });
    await expect(label('AWSCURRENT', token, token)).rejects.toMatchObject({ name: 'InvalidParameterException' });
    await label('AWSCURRENT', token, before?.[0]);
    expect(await value('AWSCURRENT')).toBe('key-1');
    expect(await value('AWSPREVIOUS')).toBe('key-0');
  });

  test('are taken off; AWSCURRENT is not, and unknown versions are refused', async () => {
    await label('mine', undefined, token);
    await label('AWSPENDING', undefined, token);
    expect((await describeSecret()).VersionIdsToStages).not.toHaveProperty(token);
    const { Versions = [] } = await client.send(
      new ListSecretVersionIdsCommand({ SecretId: arn, IncludeDeprecated: true }),
    );
    expect(Versions.map(({ VersionId }) => VersionId)).toContain(token);
    const [current] = Object.keys((await describeSecret()).VersionIdsToStages ?? {});
    await expect(label('AWSCURRENT', undefined, current)).rejects.toMatchObject({ name: 'InvalidParameterException' });
    await expect(label('mine', 'f'.repeat(32))).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });
});

describe('a schedule of a template', () => {
  const schedule = () => Resource.of(secrets.handlers, 'AWS::SecretsManager::RotationSchedule', 'Schedule');
  const properties = (more: object = {}) => ({
    SecretId: arn,
    RotationLambdaARN: FUNCTION,
    RotationRules: { ScheduleExpression: 'rate(4 hours)' },
    ...more,
  });

  test('rotates at once unless it says that it does not, and ends when it is deleted', async () => {
    const resource = schedule();
    await resource.create(properties({ RotateImmediatelyOnUpdate: false }));
    expect(steps).toHaveLength(1);
    await resource.update(properties());
    await secrets.rotationsSettled();
    expect(steps).toHaveLength(5);
    await resource.delete();
    await clock.advance(5 * 60 * 60_000);
    expect(steps).toHaveLength(5);
    expect((await describeSecret()).RotationEnabled).toBeUndefined();
  });

  test('refuses a function that does not let the service in, and cron', async () => {
    const denied = schedule().create(properties({ RotationLambdaARN: `${FUNCTION}-other` }));
    await expect(denied).rejects.toThrow(/Secrets Manager cannot invoke the specified Lambda function/);
    const cron = schedule().create(properties({ RotationRules: { ScheduleExpression: 'cron(0 8 1 * ? *)' } }));
    await expect(cron).rejects.toThrow(/cron is not rehearsable/);
  });
});
