import { invocation } from '../../shared/support/fakes';
import { bundledHandler, LocalCloud } from '../../shared/support/local-cloud';

const ALIAS_PATH = '/2015-03-31/functions/the-router/aliases/live';

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await LocalCloud.start();
});
afterAll(() => cloud.close());

const properties = (version: string) => ({
  ServiceToken: 'arn',
  Release: 'r-0123456789ab',
  RouterFunction: 'the-router',
  RouterVersion: version,
  WaitSeconds: '60',
});

async function run(changes: object): Promise<Record<string, unknown>> {
  const aliasAnswer = () => ({ body: { Name: 'live', FunctionVersion: '8' } });
  cloud.answers = { [ALIAS_PATH]: aliasAnswer, '/response': () => ({ body: '' }) };
  await bundledHandler('rollout-check')(
    {
      RequestType: 'Update',
      ResponseURL: `${cloud.services.endpoint}/response`,
      StackId: 'stack',
      RequestId: 'request',
      ResourceType: 'Custom::AgentLanesRolloutCheck',
      LogicalResourceId: 'Check',
      PhysicalResourceId: 'support-rollout-check',
      ResourceProperties: properties('8'),
      OldResourceProperties: properties('7'),
      ...changes,
    },
    invocation(),
  );
  return cloud.requestsOf('/response').at(-1)?.body as Record<string, unknown>;
}

test.each(['Create', 'Update'])('a %s succeeds when the alias is on the version', async (RequestType) => {
  await expect(run({ RequestType })).resolves.toMatchObject({
    Status: 'SUCCESS',
    PhysicalResourceId: 'support-rollout-check',
  });
});

test('fails when the alias is not, saying what it saw', async () => {
  await expect(run({ ResourceProperties: properties('9') })).resolves.toMatchObject({
    Status: 'FAILED',
    Reason: expect.stringContaining('is on version 8'),
  });
});

test('a stack rollback passes without a read of the alias', async () => {
  const before = cloud.requestsOf(ALIAS_PATH).length;
  const changes = { ResourceProperties: properties('6'), OldResourceProperties: properties('8') };
  await expect(run(changes)).resolves.toMatchObject({ Status: 'SUCCESS' });
  expect(cloud.requestsOf(ALIAS_PATH)).toHaveLength(before);
});

test('a deletion succeeds, whatever the properties', async () => {
  await expect(run({ RequestType: 'Delete', ResourceProperties: {} })).resolves.toMatchObject({ Status: 'SUCCESS' });
});

test('fails naming a property that is missing', async () => {
  const { RouterVersion: _, ...incomplete } = properties('8');
  await expect(run({ ResourceProperties: incomplete })).resolves.toMatchObject({
    Status: 'FAILED',
    Reason: expect.stringContaining('RouterVersion'),
  });
});
