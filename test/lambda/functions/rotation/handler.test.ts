import { Env, RotationMetric } from '../../../../lib/contract';
import { bundledHandler, LocalCloud } from '../../shared/support/local-cloud';

const ARN = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf';
const POOL = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:pool-AbCdEf';
const DESCRIBE = 'secretsmanager.DescribeSecret';
const VERSIONS = 'secretsmanager.ListSecretVersionIds';
const VALUE = 'secretsmanager.GetSecretValue';
const STEP = { Step: 'createSecret', SecretId: ARN, ClientRequestToken: 'v-2' };

const SETTINGS = {
  [Env.ROTATED_SECRET]: ARN,
  [Env.ROTATED_SECRET_NAME]: 'anthropic',
  [Env.ROTATION]: JSON.stringify({ strategy: 'key_pool', poolSecret: POOL, check: { provider: 'none' } }),
};

let cloud: LocalCloud;
let written: string[];

async function start(settings: Readonly<Record<string, string>>): Promise<(event: unknown) => Promise<unknown>> {
  cloud = await LocalCloud.start(settings);
  written = [];
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  jest.resetModules();
  return bundledHandler('rotation');
}

afterEach(async () => {
  jest.restoreAllMocks();
  await cloud.close();
});

/** A secret with one value, and a version that a rotation has just begun. */
const secret = (pool: string): LocalCloud['answers'] => ({
  [DESCRIBE]: () => ({ body: { ARN, VersionIdsToStages: { 'v-1': ['AWSCURRENT'], 'v-2': ['AWSPENDING'] } } }),
  [VERSIONS]: () => ({
    body: { ARN, Versions: [{ VersionId: 'v-1', VersionStages: ['AWSCURRENT'], CreatedDate: 0 }] },
  }),
  [VALUE]: ({ body }) => {
    const { SecretId, VersionStage } = body as { SecretId: string; VersionStage: string };
    if (SecretId === POOL) {
      return { body: { SecretString: pool } };
    }
    return VersionStage === 'AWSCURRENT'
      ? { body: { SecretString: 'sk-used-planted' } }
      : { status: 400, body: { __type: 'ResourceNotFoundException', message: 'no such version' } };
  },
  'secretsmanager.PutSecretValue': () => ({ body: { ARN } }),
});

test('puts the next key of the pool into the pending version', async () => {
  const handler = await start(SETTINGS);
  cloud.answers = secret('["sk-used-planted", "sk-next-planted"]');
  await handler(STEP);
  const [put] = cloud.requestsOf('secretsmanager.PutSecretValue');
  expect(put?.body).toMatchObject({
    SecretId: ARN,
    ClientRequestToken: 'v-2',
    SecretString: 'sk-next-planted',
    VersionStages: ['AWSPENDING'],
  });
  expect(written.join('')).not.toContain('planted');
});

test('a step that fails is counted, and fails the invocation, so that Secrets Manager repeats it', async () => {
  const handler = await start(SETTINGS);
  cloud.answers = secret('["sk-used-planted"]');
  await expect(handler(STEP)).rejects.toThrow(/has no unused key/);
  const metrics = written.filter((line) => line.includes('_aws')).map((line) => JSON.parse(line));
  expect(metrics).toContainEqual(
    expect.objectContaining({ Agent: 'support', Secret: 'anthropic', [RotationMetric.FAILED]: 1 }),
  );
  expect(cloud.requestsOf('secretsmanager.PutSecretValue')).toEqual([]);
});

test('the watch measures the age, and where a function of one’s own rotates reads nothing else', async () => {
  const handler = await start({ ...SETTINGS, [Env.ROTATION]: JSON.stringify({ strategy: 'custom' }) });
  cloud.answers = secret('[]');
  await handler({ watch: true });
  expect(written.join('')).toContain(`"${RotationMetric.AGE}":`);
  expect(cloud.requestsOf(VALUE)).toEqual([]);
});

test('fails with advice for an event that is neither step nor watch', async () => {
  const handler = await start(SETTINGS);
  await expect(handler({ Step: 'deleteSecret', SecretId: ARN })).rejects.toThrow(
    /unknown event: expected a step of a rotation.*use "aws secretsmanager rotate-secret"/,
  );
});

test('fails with one line that names every setting that is missing', async () => {
  const handler = await start({ [Env.ROTATION]: '{"strategy":"magic"}' });
  await expect(handler(STEP)).rejects.toThrow(
    new RegExp(`${Env.ROTATED_SECRET} is missing; ${Env.ROTATED_SECRET_NAME} is missing; ${Env.ROTATION}.strategy: `),
  );
});
