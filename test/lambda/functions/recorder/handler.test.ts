import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { ControlKey, Env } from '../../../../lib/contract';
import { invocation } from '../../shared/support/fakes';
import { bundledHandler, LocalCloud } from '../../shared/support/local-cloud';
import { behaviorDocument } from './support';

const document = behaviorDocument();

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await LocalCloud.start();
  jest.resetModules();
});
afterEach(() => cloud.close());

async function run(asset: () => { status?: number; body: unknown }): Promise<Record<string, unknown>> {
  // S3 in the path or in the host: the stub sees the key at the end of either.
  cloud.answers = { '/bucket/key.json': asset, '/response': () => ({ body: '' }) };
  await bundledHandler('recorder')(
    {
      RequestType: 'Create',
      ResponseURL: `${cloud.services.endpoint}/response`,
      StackId: 'stack',
      RequestId: 'request',
      ResourceType: 'Custom::AgentLanesReleaseRecord',
      LogicalResourceId: 'Record',
      ResourceProperties: {
        ServiceToken: 'arn',
        Release: document.release,
        WorkerVersion: '1',
        RouterVersion: '1',
        BehaviorBucket: 'bucket',
        BehaviorKey: 'key.json',
      },
    },
    invocation(),
  );
  return cloud.requestsOf('/response').at(-1)?.body as Record<string, unknown>;
}

test('a release is read from its asset and recorded', async () => {
  await expect(run(() => ({ body: document }))).resolves.toMatchObject({
    Status: 'SUCCESS',
    PhysicalResourceId: 'support-release-record',
    Data: { Release: document.release },
  });
  const { Item } = await cloud.tables.send(
    new GetCommand({ TableName: 'control', Key: ControlKey.release(document.release) }),
  );
  expect(Item).toMatchObject({ release: document.release });
});

test('fails naming the asset that cannot be read', async () => {
  const denied = '<Error><Code>AccessDenied</Code><Message>no</Message></Error>';
  await expect(run(() => ({ status: 403, body: denied }))).resolves.toMatchObject({
    Status: 'FAILED',
    PhysicalResourceId: 'support-release-record',
    Reason: expect.stringMatching(/s3:\/\/bucket\/key.json: AccessDenied/),
  });
});

test('fails naming the setting that is missing', async () => {
  delete process.env[Env.CONTROL_TABLE];
  await expect(run(() => ({ body: document }))).resolves.toMatchObject({
    Status: 'FAILED',
    Reason: expect.stringContaining(Env.CONTROL_TABLE),
  });
});
