import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import fc from 'fast-check';
import { createSecretsManager, type SecretsManager } from '../../../rehearsal/services/secretsmanager';
import { randomPassword } from '../../../rehearsal/services/secretsmanager/model';
import { ManualClock } from '../../support/manual-clock';
import { Resource, type Rig, roleArn, startRig } from '../api-server/support';

let secrets: SecretsManager;
let rig: Rig;
let client: SecretsManagerClient;

beforeEach(async () => {
  rig = await startRig((iam) => {
    secrets = createSecretsManager({ clock: new ManualClock(Date.UTC(2030, 0, 1)), iam });
    return [secrets.service];
  });
  client = new SecretsManagerClient(rig.operator);
});
afterEach(() => rig.stop());

const secret = () => Resource.of(secrets.handlers, 'AWS::SecretsManager::Secret', 'Provider');
const value = async (SecretId: string, more: object = {}) =>
  (await client.send(new GetSecretValueCommand({ SecretId, ...more }))).SecretString;

describe('values', () => {
  test('are found by name, ARN, and ARN without its suffix', async () => {
    const arn = secrets.putSecret('agents/provider', 'key-1');
    expect(arn).toMatch(/^arn:aws:secretsmanager:us-east-1:123456789012:secret:agents\/provider-[A-Z0-9]{6}$/);
    for (const id of ['agents/provider', arn, arn.slice(0, -7)]) expect(await value(id)).toBe('key-1');
  });

  test('have stages: a new value is current, the one before stays previous', async () => {
    const arn = secrets.putSecret('provider', 'key-1');
    const put = await client.send(new PutSecretValueCommand({ SecretId: arn, SecretString: 'key-2' }));
    expect(put.VersionStages).toEqual(['AWSCURRENT']);
    expect(await value(arn)).toBe('key-2');
    expect(await value(arn, { VersionStage: 'AWSPREVIOUS' })).toBe('key-1');
    expect(await value(arn, { VersionId: put.VersionId })).toBe('key-2');
    secrets.putSecret('provider', 'key-3');
    expect(await value(arn, { VersionStage: 'AWSPREVIOUS' })).toBe('key-2');
    const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId: arn }));
    expect(Object.values(VersionIdsToStages).flat().sort()).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
  });

  test('may wait in a stage of their own', async () => {
    const arn = secrets.putSecret('provider', 'key-1');
    const pending = { SecretId: arn, SecretString: 'key-2', VersionStages: ['AWSPENDING'] };
    await client.send(new PutSecretValueCommand(pending));
    expect(await value(arn)).toBe('key-1');
    expect(await value(arn, { VersionStage: 'AWSPENDING' })).toBe('key-2');
  });

  test('are put once under one token', async () => {
    const arn = secrets.putSecret('provider', 'key-1');
    const put = (SecretString: string) =>
      client.send(new PutSecretValueCommand({ SecretId: arn, SecretString, ClientRequestToken: 'f'.repeat(32) }));
    await put('key-2');
    await put('key-2');
    await expect(put('key-3')).rejects.toMatchObject({ name: 'ResourceExistsException' });
  });

  test('are created on the wire, with the cloud time', async () => {
    const { ARN } = await client.send(new CreateSecretCommand({ Name: 'new', SecretString: 'v', Description: 'd' }));
    const described = await client.send(new DescribeSecretCommand({ SecretId: 'new' }));
    expect(described).toMatchObject({ ARN, Description: 'd', CreatedDate: new Date(Date.UTC(2030, 0, 1)) });
    const again = new CreateSecretCommand({ Name: 'new', SecretString: 'v' });
    await expect(client.send(again)).rejects.toMatchObject({ name: 'ResourceExistsException' });
  });

  test('fail with ResourceNotFoundException for an unknown secret, stage or version', async () => {
    const arn = secrets.putSecret('provider', 'key-1');
    const notFound = { name: 'ResourceNotFoundException' };
    await expect(value('none')).rejects.toMatchObject(notFound);
    await expect(value(arn, { VersionStage: 'AWSPENDING' })).rejects.toMatchObject(notFound);
    await expect(value(arn, { VersionId: '0'.repeat(32) })).rejects.toMatchObject(notFound);
  });
});

describe('authorization', () => {
  const read = (Resource: string, rest: object = {}) => ({
    Effect: 'Allow',
    Action: 'secretsmanager:GetSecretValue',
    Resource,
    ...rest,
  });

  test('a policy may name the secret with its unknown suffix', async () => {
    const arn = secrets.putSecret('provider', 'key-1');
    const settings = rig.role('worker', read(`${arn.slice(0, -7)}-??????`));
    const output = await new SecretsManagerClient(settings).send(new GetSecretValueCommand({ SecretId: 'provider' }));
    expect(output.SecretString).toBe('key-1');
  });

  test('refuses another secret, and a stage that the policy does not name', async () => {
    const arn = secrets.putSecret('provider', 'key-1');
    secrets.putSecret('other', 'key-2');
    const Condition = { StringEquals: { 'secretsmanager:VersionStage': 'AWSCURRENT' } };
    const worker = new SecretsManagerClient(rig.role('worker', read(arn, { Condition })));
    const get = (input: { SecretId: string; VersionStage?: string }) => worker.send(new GetSecretValueCommand(input));
    await expect(get({ SecretId: arn })).resolves.toBeDefined();
    await expect(get({ SecretId: 'other' })).rejects.toMatchObject({ name: 'AccessDeniedException' });
    await expect(get({ SecretId: arn, VersionStage: 'AWSPREVIOUS' })).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
  });

  test('a resource policy lets a role in', async () => {
    const arn = secrets.putSecret('provider', 'key-1');
    const worker = new SecretsManagerClient(rig.role('worker'));
    const get = () => worker.send(new GetSecretValueCommand({ SecretId: arn }));
    await expect(get()).rejects.toMatchObject({ name: 'AccessDeniedException' });
    const policy = Resource.of(secrets.handlers, 'AWS::SecretsManager::ResourcePolicy', 'Policy');
    const Statement = { ...read('*'), Principal: { AWS: roleArn('worker') } };
    await policy.create({ SecretId: arn, ResourcePolicy: { Version: '2012-10-17', Statement } });
    await expect(get()).resolves.toBeDefined();
    await policy.delete();
    await expect(get()).rejects.toMatchObject({ name: 'AccessDeniedException' });
  });
});

describe('secrets of a template', () => {
  test('get a generated value inside their template', async () => {
    const { physicalId, attributes } = await secret().create({
      GenerateSecretString: {
        SecretStringTemplate: '{"user":"a"}',
        GenerateStringKey: 'password',
        PasswordLength: '20',
      },
    });
    expect(attributes.Id).toBe(physicalId);
    const content = JSON.parse((await value(physicalId)) ?? '');
    expect(content).toEqual({ user: 'a', password: expect.stringMatching(/^.{20}$/) });
  });

  test('get a new version only when the template gives another value', async () => {
    const resource = secret();
    const { physicalId } = await resource.create({ SecretString: 'one', Name: 'named' });
    secrets.putSecret(physicalId, 'set by its owner');
    await resource.update({ SecretString: 'one', Name: 'named', Description: 'changed' });
    expect(await value('named')).toBe('set by its owner');
    await resource.update({ SecretString: 'two', Name: 'named' });
    expect(await value('named')).toBe('two');
    await resource.delete();
    await expect(value('named')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('refuses two values at once, a taken name, and replicas', async () => {
    await expect(secret().create({ SecretString: 'a', GenerateSecretString: {} })).rejects.toThrow(
      'Test/Provider: expected either SecretString or GenerateSecretString',
    );
    secrets.putSecret('taken', 'v');
    await expect(secret().create({ Name: 'taken' })).rejects.toThrow('secret taken already exists');
    await expect(secret().create({ ReplicaRegions: [] })).rejects.toThrow(/not rehearsable: .*ReplicaRegions/);
  });
});

test('refuses unknown parameters by name', async () => {
  const binary = new CreateSecretCommand({ Name: 'b', SecretBinary: new Uint8Array([1]) });
  await expect(client.send(binary)).rejects.toThrow(/not rehearsable: secretsmanager.CreateSecret/);
});

test('generated passwords keep to their rules', () => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 60 }), (length) => {
      const password = randomPassword({ length, excludeCharacters: '"\\/@', includeSpace: false });
      expect(password).toHaveLength(length);
      expect(password).toMatch(/^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[^a-zA-Z\d])[^"\\/@ ]+$/);
    }),
  );
  expect(randomPassword({ excludePunctuation: true, excludeNumbers: true, excludeUppercase: true })).toMatch(
    /^[a-z]{32}$/,
  );
});
