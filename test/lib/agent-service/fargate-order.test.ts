import { WorkerSpec } from '../../../lib';
import { AGENT_ENTRY, supportAgent } from '../../support/agent-service';
import { testStack } from '../../support/stack';
import { DependencyGraph, named, resourcesOf } from '../../support/template';

const stack = testStack();
supportAgent(stack, { worker: WorkerSpec.fargate({ entry: AGENT_ENTRY }) });
const resources = resourcesOf(stack);
const graph = new DependencyGraph(resources);
const id = (name: string) => named(resources, name);

/** Everything that must be done before the named resource is touched, by short name. */
function expectBefore(later: string, earlier: readonly string[]): void {
  const before = graph.before(id(later));
  const missing = earlier.filter((name) => !before.has(id(name)));
  expect(missing).toEqual([]);
}

const scalingOf = (lane: string) =>
  ['', 'Out', 'In', 'OutAlarm', 'InAlarm'].map((part) => `SupportWorker${lane}Scaling${part}`);

describe('order of a release on Fargate', () => {
  test('1 → 2: the router version is published before the release is recorded', () => {
    expectBefore('SupportRolloutReleaseRecord', [
      'SupportIntakeRouterCurrentVersion',
      'SupportRolloutRecorderRoleDefaultPolicy',
    ]);
  });

  test('2 → 3: the candidate lane gets the release once it is recorded, its roles may do what they must, and it reaches AWS', () => {
    expectBefore('SupportWorkerCandidateService', [
      'SupportRolloutReleaseRecord',
      'SupportWorkerCandidateTasks',
      'SupportWorkerRoleDefaultPolicy',
      'SupportWorkerExecutionRoleDefaultPolicy',
      'SupportWorkerVpcWorkerSubnet1DefaultRoute',
      'SupportWorkerVpcWorkerSubnet2DefaultRoute',
    ]);
  });

  test('3 → 4: the shift starts when the candidate lane has the release and is scaled', () => {
    expectBefore('SupportIntakeLive', [
      'SupportWorkerCandidateService',
      ...scalingOf('Candidate'),
      'SupportRolloutDeploymentGroup',
      'SupportRolloutPreflight',
      'SupportRolloutEvidence',
      'SupportGatescost',
    ]);
  });

  test('4 → 5 → 6: the stable lane follows the rollout check, which follows the shift', () => {
    expectBefore('SupportRolloutRolloutCheck', ['SupportIntakeLive']);
    expectBefore('SupportWorkerStableService', ['SupportRolloutRolloutCheck']);
  });

  test('6 → 7: the promotion is recorded when the stable lane has the release and is scaled', () => {
    expectBefore('SupportRolloutPromotedRecord', ['SupportWorkerStableService', ...scalingOf('Stable')]);
  });

  test('the stable lane is not touched before', () => {
    const before = graph.before(id('SupportIntakeLive'));
    expect([...before].filter((name) => name.startsWith('SupportWorkerStable'))).toEqual([]);
  });

  test('nothing waits for itself', () => {
    expect(graph.cyclic()).toEqual([]);
  });
});
