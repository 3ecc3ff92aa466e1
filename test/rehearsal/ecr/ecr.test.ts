import { createEcr } from '../../../rehearsal/services/ecr';
import { createIam } from '../../../rehearsal/services/iam';
import { ManualClock } from '../../support/manual-clock';

const stack = {
  stackName: 'Test',
  stackId: 'stack',
  region: 'us-east-1',
  account: '123456789012',
  partition: 'aws',
  assemblyDirectory: '',
  clock: new ManualClock(),
};

test('a repository has an address, and its policy is judged', async () => {
  const { iam } = createIam();
  const [handler] = createEcr({ iam }).handlers;
  const role = 'arn:aws:iam::123456789012:role/puller';
  iam.putRole({ arn: role, name: 'puller', trust: { Statement: [] }, inline: {}, managedArns: [] });
  const request = (properties: Record<string, unknown>) => ({
    stack,
    logicalId: 'Images',
    path: 'Images',
    properties,
    report: () => undefined,
  });
  const made = await handler?.create(request({ RepositoryName: 'agents' }));
  expect(made).toEqual({
    physicalId: 'agents',
    attributes: {
      Arn: 'arn:aws:ecr:us-east-1:123456789012:repository/agents',
      RepositoryUri: '123456789012.dkr.ecr.us-east-1.amazonaws.com/agents',
    },
  });
  const mayPull = () =>
    iam.decide(
      { kind: 'role', arn: role, label: 'puller' },
      { action: 'ecr:BatchGetImage', resource: String(made?.attributes.Arn) },
    ).allowed;
  expect(mayPull()).toBe(false);
  const policy = { Statement: [{ Effect: 'Allow', Principal: { AWS: role }, Action: 'ecr:BatchGetImage' }] };
  await handler?.update({
    ...request({ RepositoryName: 'agents', RepositoryPolicyText: policy }),
    physicalId: 'agents',
    previous: {},
    rollback: false,
  });
  expect(mayPull()).toBe(true);
  await handler?.delete({ stack, logicalId: 'Images', physicalId: 'agents', properties: {} });
  expect(mayPull()).toBe(false);
});
