import { supportAgent } from '../../support/agent-service';
import { testStack } from '../../support/stack';
import { DependencyGraph, named, resourcesOf } from '../../support/template';

const stack = testStack();
supportAgent(stack);
const resources = resourcesOf(stack);
const graph = new DependencyGraph(resources);
const id = (name: string) => named(resources, name);

/** Everything that must be done before the named resource is touched, by short name. */
function expectBefore(later: string, earlier: readonly string[]): void {
  const before = graph.before(id(later));
  const missing = earlier.filter((name) => !before.has(id(name)));
  expect(missing).toEqual([]);
}

describe('order of a release', () => {
  test('1 → 2: both versions are published before the release is recorded', () => {
    expectBefore('SupportRolloutReleaseRecord', [
      'SupportWorkerFunctionCurrentVersion',
      'SupportIntakeRouterCurrentVersion',
      'SupportRolloutRecorderRoleDefaultPolicy',
    ]);
  });

  test('2 → 3: the candidate lane gets the release once it is recorded', () => {
    expectBefore('SupportWorkerCandidateAlias', ['SupportRolloutReleaseRecord']);
  });

  test('3 → 4: the shift starts when the candidate lane works and all that judges the shift is in place', () => {
    expectBefore('SupportIntakeLive', [
      'SupportWorkerCandidateAlias',
      'SupportWorkerCandidateHigh',
      'SupportWorkerCandidateNormal',
      'SupportWorkerCandidateLow',
      'SupportRolloutDeploymentGroup',
      'SupportRolloutDeploymentGroupServiceRole',
      'SupportRolloutDeploymentGroupServiceRoleDefaultPolicy',
      'SupportRolloutPreflight',
      'SupportRolloutPreflightRoleDefaultPolicy',
      'SupportRolloutEvidence',
      'SupportRolloutEvidenceRoleDefaultPolicy',
      'SupportIntakeRouterAliasPolicy',
      'SupportIntakeRouterRoleDefaultPolicy',
      'SupportGatescost',
      'SupportGateslatency',
      'SupportGateserrors',
      'SupportGatestoolCalls',
      'SupportGatesquality',
    ]);
  });

  test('4 → 5: the rollout check follows the shift', () => {
    expectBefore('SupportRolloutRolloutCheck', ['SupportIntakeLive', 'SupportRolloutCheckRoleDefaultPolicy']);
  });

  test('5 → 6: the stable lane follows the rollout check', () => {
    expectBefore('SupportWorkerStableAlias', ['SupportRolloutRolloutCheck']);
  });

  test('6 → 7: the promotion is recorded when the stable lane works', () => {
    expectBefore('SupportRolloutPromotedRecord', [
      'SupportWorkerStableAlias',
      'SupportWorkerStableHigh',
      'SupportWorkerStableNormal',
      'SupportWorkerStableLow',
    ]);
  });

  test('nothing waits for itself', () => {
    expect(graph.cyclic()).toEqual([]);
  });

  test('the graph finds a cycle when there is one', () => {
    const cycle = new DependencyGraph({
      A: { Type: 'T', Properties: { x: { 'Fn::Sub': `\${B.Arn}` } } },
      B: { Type: 'T', DependsOn: ['C'] },
      C: { Type: 'T', Properties: { y: [{ 'Fn::GetAtt': ['A', 'Arn'] }] } },
      D: { Type: 'T', Properties: { z: { Ref: 'A' } } },
    });
    expect(cycle.cyclic()).toEqual(['A', 'B', 'C']);
  });

  test('a version of a failed rollout goes, one that was ever promoted stays', () => {
    for (const name of ['SupportWorkerFunctionCurrentVersion', 'SupportIntakeRouterCurrentVersion']) {
      expect(resources[id(name)]).toMatchObject({
        DeletionPolicy: 'RetainExceptOnCreate',
        UpdateReplacePolicy: 'Retain',
      });
    }
  });

  test('the alias is shifted by CodeDeploy with both hooks and rolled back by the gates', () => {
    expect(resources[id('SupportIntakeLive')]?.UpdatePolicy).toEqual({
      CodeDeployLambdaAliasUpdate: {
        ApplicationName: { Ref: id('SupportRolloutDeploymentGroupApplication') },
        DeploymentGroupName: { Ref: id('SupportRolloutDeploymentGroup') },
        BeforeAllowTrafficHook: { Ref: id('SupportRolloutPreflight') },
        AfterAllowTrafficHook: { Ref: id('SupportRolloutEvidence') },
      },
    });
    const alarms = ['cost', 'latency', 'errors', 'toolCalls', 'quality'].map((gate) => ({
      Name: { Ref: id(`SupportGates${gate}`) },
    }));
    expect(resources[id('SupportRolloutDeploymentGroup')]?.Properties).toMatchObject({
      DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent10Minutes',
      AlarmConfiguration: { Enabled: true, Alarms: alarms },
      AutoRollbackConfiguration: {
        Enabled: true,
        Events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_REQUEST', 'DEPLOYMENT_STOP_ON_ALARM'],
      },
    });
  });
});
