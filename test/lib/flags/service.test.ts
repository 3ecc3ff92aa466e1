import { readWorkerSettings } from '../../../lambda/worker/settings';
import { AgentService, CapabilityFlag, QualityGate } from '../../../lib';
import { leastProps } from '../../support/agent-service';
import { deployedEnvironment } from '../../support/deployed-environment';
import { testStack } from '../../support/stack';
import { named, resourcesOf } from '../../support/template';

function serviceWith(percentage: number) {
  const stack = testStack();
  const service = new AgentService(stack, 'Support', {
    ...leastProps(stack),
    flags: { newSearch: CapabilityFlag.boolean({ percentage, gates: { errors: QualityGate.errorRate() } }) },
  });
  return { service, resources: resourcesOf(stack) };
}

const { service, resources } = serviceWith(20);

test('the worker is told of the flags as it reads them, and may read them', () => {
  const settings = readWorkerSettings(deployedEnvironment(resources, 'SupportWorkerFunction'));
  expect(settings.flags?.defaults).toEqual({ newSearch: false });
  const policies = JSON.stringify(Object.values(resources).filter(({ Type }) => Type === 'AWS::IAM::Policy'));
  expect(policies).toContain('appconfig:GetLatestConfiguration');
});

test('the flags are deployed last, after the promotion', () => {
  const { DependsOn = [] } = resources[named(resources, 'SupportFlagsDeployment')] ?? {};
  expect(DependsOn).toContain(named(resources, 'SupportRolloutPromotedRecord'));
});

test('another share is no other release, no other worker, and no other router', () => {
  const other = serviceWith(40);
  expect(other.service.release.releaseId).toBe(service.release.releaseId);
  const changed = Object.keys(other.resources).filter(
    (id) => JSON.stringify(other.resources[id]) !== JSON.stringify(resources[id]),
  );
  expect(changed).toEqual([named(resources, 'SupportFlagsConfiguration')]);
});

test('a service without flags has nothing of AppConfig', () => {
  const stack = testStack();
  const plain = new AgentService(stack, 'Support', leastProps(stack));
  expect(plain.flags).toBeUndefined();
  expect(JSON.stringify(resourcesOf(stack))).not.toContain('AppConfig');
});
