import { Duration, type Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import {
  type CodeDeployRolloutOptions,
  Evidence,
  type FargateWorkerOptions,
  GateSeverity,
  InFlightTaskPolicy,
  QualityGate,
  Rollout,
  TrafficShift,
  WorkerSpec,
} from '../../../lib';
import { CustomResourceType, Env, PlatformLimits, releaseRecordPropertiesSchema } from '../../../lib/contract';
import { AGENT_ENTRY, supportAgent } from '../../support/agent-service';
import { testStack } from '../../support/stack';
import { named, type Resources, resourcesOf } from '../../support/template';

const TEN_MINUTES = TrafficShift.canary({ percentage: 10, bakeTime: Duration.minutes(10) });

function synthesize(props: CodeDeployRolloutOptions = {}, shift = TEN_MINUTES, context: Record<string, unknown> = {}) {
  const stack = testStack(context);
  const agent = supportAgent(stack, { agentName: 'support', rollout: Rollout.codeDeploy(shift, props) });
  return { stack, agent, resources: resourcesOf(stack) };
}

const environment = (resources: Resources, name: string) =>
  (resources[named(resources, name)]?.Properties?.Environment as { Variables: Record<string, unknown> } | undefined)
    ?.Variables;

describe('a worker that has to start', () => {
  const onFargate = (
    worker: Partial<FargateWorkerOptions> = {},
    props: CodeDeployRolloutOptions = {},
    shift = TEN_MINUTES,
  ) => {
    const stack = testStack();
    const agent = supportAgent(stack, {
      rollout: Rollout.codeDeploy(shift, props),
      worker: WorkerSpec.fargate({ entry: AGENT_ENTRY, ...worker }),
    });
    return { stack, agent };
  };
  const waits = (stack: Stack) =>
    environment(resourcesOf(stack), 'SupportRolloutPreflight')?.[Env.PREFLIGHT_TIMEOUT_SECONDS];

  test('is waited for by the preflight, and the rollout takes that time longer', () => {
    const { stack, agent } = onFargate();
    expect(waits(stack)).toBe('420');
    expect(agent.rollout.duration.toMinutes()).toBe(22);
    expect(waits(onFargate({ startTimeout: Duration.minutes(2) }).stack)).toBe('240');
  });

  test('is not waited for beyond a timeout that is given, and a warning says so', () => {
    const { stack } = onFargate({}, { preflightTimeout: Duration.minutes(4) });
    const printed = jest.spyOn(console, 'error').mockReturnValue(undefined);
    expect(waits(stack)).toBe('240');
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('may take 300 s to start'));
    printed.mockRestore();
  });

  test('refuses one that takes longer than a function can wait', () => {
    expect(() => onFargate({ startTimeout: Duration.minutes(14) })).toThrow(
      /InvalidPreflightTimeout: preflightTimeout must be whole seconds between 1 and 870, got 960 s \(2 minutes and the worker's startTimeout\)/,
    );
  });

  test('refuses a rollout that becomes too long by it', () => {
    const shift = TrafficShift.linear({ percentage: 10, interval: Duration.minutes(10) });
    expect(() => onFargate({}, {}, shift)).toThrow(
      /TooLongRollout: the rollout must take at most 100 minutes \(.*\), got 102 minutes \(preflight 7 minutes, shift 1 hour 30 minutes/,
    );
  });
});

describe('defaults', () => {
  const { resources, agent } = synthesize();

  test('the preflight waits two minutes for its probe', () => {
    expect(environment(resources, 'SupportRolloutPreflight')).toEqual({
      [Env.AGENT]: 'support',
      [Env.RELEASE]: agent.release.releaseId,
      [Env.TASKS_TABLE]: { Ref: named(resources, 'SupportStoreTasks') },
      [Env.QUEUES]: expect.anything(),
      [Env.PREFLIGHT_TIMEOUT_SECONDS]: '120',
    });
    expect(resources[named(resources, 'SupportRolloutPreflight')]?.Properties?.Timeout).toBe(150);
  });

  test('20 tasks are asked for, within five minutes after the shift', () => {
    expect(environment(resources, 'SupportRolloutEvidence')).toEqual({
      [Env.AGENT]: 'support',
      [Env.RELEASE]: agent.release.releaseId,
      [Env.CONTROL_TABLE]: { Ref: named(resources, 'SupportStoreControl') },
      [Env.EVIDENCE_MIN_TASKS]: '20',
      [Env.EVIDENCE_WAIT_SECONDS]: '300',
    });
    expect(resources[named(resources, 'SupportRolloutEvidence')]?.Properties?.Timeout).toBe(360);
  });

  test('takes 17 minutes at most', () => {
    expect(agent.rollout.duration.toMinutes()).toBe(17);
  });

  test('the records name the same target, the check what it waits for', () => {
    const target = {
      Release: agent.release.releaseId,
      WorkerVersion: { 'Fn::GetAtt': [named(resources, 'SupportWorkerFunctionCurrentVersion'), 'Version'] },
      RouterVersion: { 'Fn::GetAtt': [named(resources, 'SupportIntakeRouterCurrentVersion'), 'Version'] },
    };
    const token = { 'Fn::GetAtt': [named(resources, 'SupportRolloutRecorder'), 'Arn'] };
    const record = resources[named(resources, 'SupportRolloutReleaseRecord')];
    expect(record?.Type).toBe(CustomResourceType.RELEASE_RECORD);
    expect(record?.Properties).toMatchObject({
      ...target,
      ServiceToken: token,
      BehaviorKey: expect.stringMatching(/^[0-9a-f]{64}\.behavior$/),
      OnRollback: 'finish',
    });
    const promoted = resources[named(resources, 'SupportRolloutPromotedRecord')];
    expect(promoted?.Type).toBe(CustomResourceType.PROMOTED_RECORD);
    expect(promoted?.Properties).toMatchObject({ ...target, ServiceToken: token });
    const check = resources[named(resources, 'SupportRolloutRolloutCheck')];
    expect(check?.Type).toBe(CustomResourceType.ROLLOUT_CHECK);
    expect(check?.Properties).toMatchObject({
      Release: target.Release,
      RouterVersion: target.RouterVersion,
      RouterFunction: { Ref: named(resources, 'SupportIntakeRouter') },
      WaitSeconds: '120',
    });
  });

  test('every function outlives what it waits for, and CloudFormation waits for the function', () => {
    const timeout = (name: string) => Number(resources[named(resources, name)]?.Properties?.Timeout);
    const service = (name: string) => Number(resources[named(resources, name)]?.Properties?.ServiceTimeout);
    expect(timeout('SupportRolloutCheck')).toBeGreaterThan(120);
    expect(service('SupportRolloutRolloutCheck')).toBeGreaterThan(timeout('SupportRolloutCheck'));
    expect(service('SupportRolloutReleaseRecord')).toBeGreaterThan(timeout('SupportRolloutRecorder'));
    expect(service('SupportRolloutPromotedRecord')).toBeGreaterThan(timeout('SupportRolloutRecorder'));
  });

  test('the stack has no deployment configuration of its own', () => {
    expect(Object.values(resources).filter(({ Type }) => Type === 'AWS::CodeDeploy::DeploymentConfig')).toEqual([]);
  });
});

describe('tasks that run when a rollout is rolled back', () => {
  test('are requeued on request, which the record of the release says', () => {
    const { resources } = synthesize({ onRollback: InFlightTaskPolicy.REQUEUE });
    const properties = resources[named(resources, 'SupportRolloutReleaseRecord')]?.Properties;
    expect(releaseRecordPropertiesSchema.shape.OnRollback.parse(properties?.OnRollback)).toBe('requeue');
  });

  test('are requeued or finish, as the recorder knows it', () => {
    expect(Object.values(InFlightTaskPolicy)).toEqual(
      expect.arrayContaining([...releaseRecordPropertiesSchema.shape.OnRollback.unwrap().options]),
    );
    expect(Object.values(InFlightTaskPolicy)).toHaveLength(2);
  });
});

describe('evidence', () => {
  test('can be asked for in other amounts', () => {
    const { resources } = synthesize({ evidence: Evidence.atLeast(3, { wait: Duration.minutes(14) }) });
    expect(environment(resources, 'SupportRolloutEvidence')).toMatchObject({
      [Env.EVIDENCE_MIN_TASKS]: '3',
      [Env.EVIDENCE_WAIT_SECONDS]: '840',
    });
    expect(resources[named(resources, 'SupportRolloutEvidence')]?.Properties?.Timeout).toBe(
      PlatformLimits.LAMBDA_TIMEOUT.value,
    );
  });

  test('can be done without, for a reason', () => {
    const { resources } = synthesize({ evidence: Evidence.notRequired('one task a week') });
    expect(environment(resources, 'SupportRolloutEvidence')).toMatchObject({
      [Env.EVIDENCE_MIN_TASKS]: '0',
      [Env.EVIDENCE_WAIT_SECONDS]: '0',
    });
  });

  test.each([
    [
      Evidence.atLeast(0),
      /InvalidEvidenceTasks: evidence: tasks must be an integer of 1 or more, got 0; .*Evidence\.notRequired\(reason\)/,
    ],
    [Evidence.atLeast(2.5), /tasks must be an integer of 1 or more, got 2\.5/],
    [
      Evidence.atLeast(5, { wait: Duration.minutes(15) }),
      /wait must be whole seconds, at most 840, got 900 s \(Lambda: 900 seconds, https/,
    ],
    [Evidence.atLeast(5, { wait: Duration.millis(1500) }), /wait must be whole seconds, at most 840, got 1\.5 s/],
    [Evidence.notRequired('  '), /MissingEvidenceReason: .* the reason is empty/],
  ])('refuses what cannot be meant (%#)', (evidence, message) => {
    expect(() => synthesize({ evidence })).toThrow(message);
  });
});

describe('limits of AWS', () => {
  test('refuses more than 100 minutes in all, and says what adds up', () => {
    const shift = TrafficShift.linear({ percentage: 10, interval: Duration.minutes(10) });
    expect(
      synthesize({ evidence: Evidence.notRequired('tested by hand') }, shift).agent.rollout.duration.toMinutes(),
    ).toBe(92);
    expect(() => synthesize({ preflightTimeout: Duration.minutes(6) }, shift)).toThrow(
      /TooLongRollout: the rollout must take at most 100 minutes \(https:\/\/docs\.aws.*\), got 101 minutes \(preflight 6 minutes, shift 1 hour 30 minutes, evidence 5 minutes\)/,
    );
  });

  test('refuses more than ten critical gates; warnings do not count', () => {
    const gates = (count: number, severity: GateSeverity) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, i) => [`${severity}${i}`, QualityGate.errorRate({ severity })]),
      );
    const critical = { gates: gates(11, GateSeverity.CRITICAL) };
    expect(() => supportAgent(testStack(), critical)).toThrow(
      /TooManyGates: the agent must have at most 10 critical gates, got 11 \(https/,
    );
    const agent = supportAgent(testStack(), {
      gates: { ...gates(10, GateSeverity.CRITICAL), ...gates(5, GateSeverity.WARNING) },
    });
    expect(agent.gates.critical).toHaveLength(10);
    expect(agent.gates.warning).toHaveLength(5);
  });

  test.each([Duration.seconds(0), Duration.minutes(15), Duration.millis(500)])(
    'refuses a preflight that Lambda cannot wait for (%#)',
    (preflightTimeout) => {
      expect(() => synthesize({ preflightTimeout })).toThrow(
        /InvalidPreflightTimeout: preflightTimeout must be whole seconds between 1 and 870, got \S+ s \(https/,
      );
    },
  );
});

describe('gates', () => {
  const alarms = (resources: Resources) =>
    resources[named(resources, 'SupportRolloutDeploymentGroup')]?.Properties?.AlarmConfiguration;

  test('of severity warning are not among the alarms of the deployment', () => {
    const stack = testStack();
    supportAgent(stack, {
      gates: {
        errors: QualityGate.errorRate(),
        cost: QualityGate.cost({ severity: GateSeverity.WARNING }),
      },
    });
    const resources = resourcesOf(stack);
    expect(alarms(resources)).toEqual({
      Enabled: true,
      Alarms: [{ Name: { Ref: named(resources, 'SupportGateserrors') } }],
    });
    expect(resources[named(resources, 'SupportGatescost')]?.Properties).toMatchObject({
      AlarmActions: [{ Ref: named(resources, 'SupportAlerts') }],
    });
  });

  test('may be none', () => {
    const stack = testStack();
    supportAgent(stack, { gates: {} });
    const resources = resourcesOf(stack);
    expect(resources[named(resources, 'SupportRolloutDeploymentGroup')]?.Properties).toMatchObject({
      AutoRollbackConfiguration: { Enabled: true, Events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_REQUEST'] },
    });
  });

  describe.each([
    ['by prop', { ignoreGates: 'fixes the loop in r-0' }, {}],
    ['by context', {}, { 'cdk-agent-lanes:ignoreGates': 'fixes the loop in r-0' }],
  ])('can be ignored %s, for a reason', (_, props, context) => {
    const { stack, resources } = synthesize(props, TEN_MINUTES, context);

    test('the deployment does not listen to them, but they stay', () => {
      expect(alarms(resources)).toMatchObject({ Enabled: false });
      expect(Object.keys(resources).filter((id) => id.startsWith('SupportGates'))).toHaveLength(5);
    });

    test('a warning with a stable id says so', () => {
      Annotations.fromStack(stack).hasWarning(
        '/Test/Support/Rollout',
        Match.stringLikeRegexp(
          "gates do not stop the rollout of r-.* for agent 'support': fixes the loop in r-0.*cdk-agent-lanes:gatesIgnored",
        ),
      );
    });
  });

  test.each(['', 'true', true])('refuses to ignore them without a reason (%p)', (reason) => {
    expect(() => synthesize({}, TEN_MINUTES, { 'cdk-agent-lanes:ignoreGates': reason })).toThrow(
      /MissingIgnoreGatesReason: cdk-agent-lanes:ignoreGates is .*, expected the reason as a sentence/,
    );
  });

  test('that need more samples than the evidence has tasks get a warning', () => {
    const warned = (tasks: number, gate: QualityGate) => {
      const stack = testStack();
      const rollout = Rollout.codeDeploy(TEN_MINUTES, { evidence: Evidence.atLeast(tasks) });
      supportAgent(stack, { rollout, gates: { cost: QualityGate.cost({ minSamples: 1 }), errors: gate } });
      const found = Annotations.fromStack(stack).findWarning(
        '/Test/Support/Rollout',
        Match.stringLikeRegexp('cdk-agent-lanes:evidenceBelowSamples'),
      );
      return found.length > 0;
    };
    expect(warned(10, QualityGate.errorRate({ minSamples: 11 }))).toBe(true);
    expect(warned(10, QualityGate.errorRate({ minSamples: 10 }))).toBe(false);
    expect(warned(10, QualityGate.errorRate({ minSamples: 11, severity: GateSeverity.WARNING }))).toBe(false);
  });

  test('stand guard by default, without a warning', () => {
    const { stack, resources } = synthesize();
    expect(alarms(resources)).toMatchObject({ Enabled: true });
    Annotations.fromStack(stack).hasNoWarning('*', Match.anyValue());
  });
});
