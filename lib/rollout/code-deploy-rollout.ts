import { Annotations, CustomResource, Duration, Validations } from 'aws-cdk-lib';
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { LambdaDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct, type IConstruct, type IDependable } from 'constructs';
import { acknowledgeWildcard, BundledFunction, laneError } from '../common';
import { CustomResourceType, Env, type PlatformLimit, PlatformLimits } from '../contract';
import { grantSend } from '../lanes/lane-grants';
import { queueUrls } from '../lanes/lane-queues';
import { grantPreflight, grantReadRouting, grantRecorder } from '../state/store-grants';
import { EVIDENCE_OVERHEAD, Evidence, type EvidenceConfig } from './evidence';
import { EVIDENCE_ACTIONS, ROLLOUT_CHECK_ACTIONS } from './perms';
import { type CodeDeployRolloutOptions, InFlightTaskPolicy, type RolloutContext } from './rollout-options';
import type { TrafficShift } from './traffic-shift';

/** Construct props of {@link CodeDeployRollout}. */
export interface CodeDeployRolloutProps extends CodeDeployRolloutOptions, RolloutContext {
  /** How users move from the stable lane to the candidate lane. */
  readonly shift: TrafficShift;
}

/** Context value with the same meaning as `CodeDeployRolloutOptions.ignoreGates`. */
const IGNORE_GATES = 'cdk-agent-lanes:ignoreGates';

/** For the probe task itself, when a worker is running. */
const PROBE_TIMEOUT = Duration.minutes(2);

/** Time that the preflight needs besides waiting: to start and to report. */
const PREFLIGHT_OVERHEAD = Duration.seconds(30);

/**
 * CodeDeploy has finished when the alias is updated, so this only covers the time until every Lambda host reports the new
 * version. With `cdk deploy --express` the update returns at once and the check fails, which is its purpose.
 */
const CHECK_WAIT = Duration.minutes(2);

/**
 * Rolls one release out from the template to every user. CloudFormation keeps the order, by dependencies:
 *
 * 1. worker version and router version are published
 * 2. release record: the release is recorded, the rollout is in progress
 * 3. the candidate lane gets the release
 * 4. CodeDeploy shifts alias `live` of the router: preflight, steps watched by the gates, evidence check
 * 5. rollout check: all traffic of `live` is on the new version
 * 6. the stable lane gets the release
 * 7. promoted record: all users are on the stable lane again
 */
export class CodeDeployRollout extends Construct {
  /** Shifts the users. */
  readonly deploymentGroup: LambdaDeploymentGroup;
  /** Longest time from the preflight to the end of the evidence check. */
  readonly duration: Duration;
  /** Depend on this to come after the promotion. */
  readonly promoted: IDependable;
  /** Runs before the first user gets the release. */
  readonly preflight: LambdaFunction;
  /** Runs after the shift. */
  readonly evidence: LambdaFunction;

  constructor(scope: Construct, id: string, props: CodeDeployRolloutProps) {
    super(scope, id);
    const { release, worker, intake } = props;
    const shift = props.shift._bind(this);
    const evidence = (props.evidence ?? Evidence.atLeast(20))._bind(this);
    const preflightTimeout = this.preflightTimeout(props.preflightTimeout, worker.startTimeout);
    this.duration = this.withinLimits(shift.duration, evidence.wait, preflightTimeout);
    const ignoreGates = this.ignoreGates(props);
    this.compareEvidence(evidence, props);

    // 2. After the versions by reference.
    const target = {
      Release: release.releaseId,
      WorkerVersion: worker.version,
      RouterVersion: intake.routerVersion.version,
    };
    const recorder = this.recorder(props);
    const { revision, author, time } = release._provenance();
    const releaseRecord = new CustomResource(this, 'ReleaseRecord', {
      resourceType: CustomResourceType.RELEASE_RECORD,
      serviceToken: recorder.functionArn,
      serviceTimeout: Duration.minutes(5),
      properties: {
        ...target,
        BehaviorBucket: release.behaviorBucket,
        BehaviorKey: release.behaviorKey,
        OnRollback: props.onRollback ?? InFlightTaskPolicy.FINISH,
        ...(revision === undefined ? {} : { GitRevision: revision }),
        ...(author === undefined ? {} : { GitAuthor: author }),
        ...(time === undefined ? {} : { GitTime: time }),
      },
    });

    // 3.
    const candidate = worker.attachLane(props.candidate);
    candidate.carrier.node.addDependency(releaseRecord);

    // 4. The CDK lets the alias depend on the deployment group and on the hooks, but not on what they need.
    this.preflight = this.preflightFunction(props, preflightTimeout);
    this.evidence = this.evidenceFunction(props, evidence);
    const { gates } = props;
    this.checkGateCount(gates.critical.length);
    this.deploymentGroup = new LambdaDeploymentGroup(this, 'DeploymentGroup', {
      alias: intake.live,
      deploymentConfig: shift.deploymentConfig,
      alarms: [...gates.critical],
      ignoreAlarmConfiguration: ignoreGates,
      preHook: this.preflight,
      postHook: this.evidence,
      // With alarms also `deploymentInAlarm`: the CDK's default, and an error to set without any.
      autoRollback: { failedDeployment: true, stoppedDeployment: true },
    });
    this.acknowledgeServiceRole();
    const live = intake.live.node.defaultChild ?? intake.live;
    live.node.addDependency(
      candidate.carrier,
      ...candidate.consumers,
      this.deploymentGroup,
      this.preflight,
      this.evidence,
      ...[this.preflight, this.evidence, intake.router].flatMap(({ role }) => (role === undefined ? [] : [role])),
      intake.aliasPolicy,
      ...gates.critical,
    );
    gates._onAdded((alarm, critical) => {
      if (critical) {
        this.addGateAlarm(alarm, live, gates.critical.length);
        this.compareEvidence(evidence, props);
      }
    });

    // 5.
    const check = this.rolloutCheck(props);
    const rolloutCheck = new CustomResource(this, 'RolloutCheck', {
      resourceType: CustomResourceType.ROLLOUT_CHECK,
      serviceToken: check.functionArn,
      serviceTimeout: Duration.minutes(10),
      properties: {
        Release: release.releaseId,
        RouterFunction: intake.router.functionName,
        RouterVersion: intake.routerVersion.version,
        WaitSeconds: String(CHECK_WAIT.toSeconds()),
      },
    });
    rolloutCheck.node.addDependency(live);

    // 6.
    const stable = worker.attachLane(props.stable);
    stable.carrier.node.addDependency(rolloutCheck);

    // 7.
    const promotedRecord = new CustomResource(this, 'PromotedRecord', {
      resourceType: CustomResourceType.PROMOTED_RECORD,
      serviceToken: recorder.functionArn,
      serviceTimeout: Duration.minutes(5),
      properties: target,
    });
    promotedRecord.node.addDependency(stable.carrier, ...stable.consumers);
    this.promoted = promotedRecord;
  }

  private preflightTimeout(given: Duration | undefined, startTimeout: Duration): Duration {
    const timeout = given ?? PROBE_TIMEOUT.plus(startTimeout);
    const seconds = timeout.toMilliseconds() / 1000;
    const limit = PlatformLimits.LAMBDA_TIMEOUT;
    const longest = limit.value - PREFLIGHT_OVERHEAD.toSeconds();
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > longest) {
      throw laneError(
        this,
        'InvalidPreflightTimeout',
        `preflightTimeout must be whole seconds between 1 and ${longest}, got ${seconds} s${given === undefined ? ` (${PROBE_TIMEOUT.toHumanString()} and the worker's startTimeout)` : ''} (${limit.source}); ` +
          'use a probe input that the agent answers quickly',
      );
    }
    if (seconds <= startTimeout.toSeconds()) {
      Annotations.of(this).addWarningV2(
        'cdk-agent-lanes:preflightBelowStart',
        `preflightTimeout is ${seconds} s, and a worker of the candidate lane may take ${startTimeout.toSeconds()} s to start: a slow start can fail the rollout of a good release; leave preflightTimeout out, or raise it`,
      );
    }
    return timeout;
  }

  private withinLimits(shift: Duration, evidence: Duration, preflight: Duration): Duration {
    const total = shift.plus(evidence).plus(preflight);
    const limit = PlatformLimits.ATTACHED_ROLLOUT;
    const minutes = total.toMinutes({ integral: false });
    if (minutes > limit.value) {
      throw laneError(
        this,
        'TooLongRollout',
        `the rollout must take at most ${limit.value} ${limitOf(limit)}, got ${Number(minutes.toFixed(1))} minutes (preflight ` +
          `${preflight.toHumanString()}, shift ${shift.toHumanString()}, evidence ${evidence.toHumanString()}); shorten the shift, or take fewer and larger steps`,
      );
    }
    return total;
  }

  private ignoreGates(props: CodeDeployRolloutProps): boolean {
    const reason: unknown = props.ignoreGates ?? this.node.tryGetContext(IGNORE_GATES);
    if (reason === undefined) {
      return false;
    }
    if (typeof reason !== 'string' || reason.trim() === '' || reason === 'true') {
      throw laneError(
        this,
        'MissingIgnoreGatesReason',
        `${IGNORE_GATES} is ${JSON.stringify(reason)}, expected the reason as a sentence; the reviewers of the deployment see it`,
      );
    }
    Annotations.of(this).addWarningV2(
      'cdk-agent-lanes:gatesIgnored',
      `gates do not stop the rollout of ${props.release.releaseId} for agent '${props.agentName}': ${reason}`,
    );
    return true;
  }

  /** A gate that never had enough samples does not breach, which is not the same as a pass. */
  private compareEvidence({ minTasks }: EvidenceConfig, { gates }: RolloutContext): void {
    if (minTasks > 0 && minTasks < gates.minSamples) {
      Annotations.of(this).addWarningV2(
        'cdk-agent-lanes:evidenceBelowSamples',
        `${minTasks} tasks are enough evidence for a promotion, but a critical gate judges no period with fewer than ` +
          `${gates.minSamples}: a release can be promoted that no gate has judged; raise Evidence.atLeast, or lower ` +
          'minSamples and use a longer period',
      );
    }
  }

  private acknowledgeServiceRole(): void {
    Validations.of(this.deploymentGroup.role).acknowledge({
      id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited]',
      reason:
        'The managed policy that AWS maintains for this purpose; no other document lists what CodeDeploy reads for a deployment that CloudFormation starts (https://docs.aws.amazon.com/codedeploy/latest/userguide/getting-started-create-service-role.html)',
    });
    for (const hook of [this.preflight, this.evidence]) {
      acknowledgeWildcard(
        this.deploymentGroup.role,
        `${hook.functionArn}:*`,
        'Invocation of one hook function; the wildcard stands for its versions and aliases',
      );
    }
  }

  private checkGateCount(count: number): void {
    const limit = PlatformLimits.ROLLOUT_ALARMS;
    if (count > limit.value) {
      throw laneError(
        this,
        'TooManyGates',
        `the agent must have at most ${limit.value} critical gates, got ${count} (${limit.source}); ` +
          'make some of them warnings, or join them in one math expression (QualityGate.custom)',
      );
    }
  }

  private addGateAlarm(alarm: Alarm, live: IConstruct, count: number): void {
    this.checkGateCount(count);
    this.deploymentGroup.addAlarm(alarm);
    live.node.addDependency(alarm);
  }

  private recorder({ agentName, release, store }: RolloutContext): BundledFunction {
    const recorder = new BundledFunction(this, 'Recorder', {
      bundle: 'recorder',
      description: 'Records releases and promotions (custom resource)',
      timeout: Duration.minutes(2),
      environment: { [Env.AGENT]: agentName, [Env.CONTROL_TABLE]: store.control.tableName },
    });
    grantRecorder(store, recorder);
    release.grantRead(recorder);
    return recorder;
  }

  private preflightFunction(props: RolloutContext, timeout: Duration): BundledFunction {
    const preflight = new BundledFunction(this, 'Preflight', {
      bundle: 'preflight',
      description: 'Sends a probe task through the candidate lane before any user gets the release',
      timeout: timeout.plus(PREFLIGHT_OVERHEAD),
      environment: {
        [Env.AGENT]: props.agentName,
        [Env.RELEASE]: props.release.releaseId,
        [Env.TASKS_TABLE]: props.store.tasks.tableName,
        [Env.QUEUES]: queueUrls(this, [props.stable, props.candidate]),
        [Env.PREFLIGHT_TIMEOUT_SECONDS]: String(timeout.toSeconds()),
      },
    });
    grantPreflight(props.store, preflight);
    grantSend(props.candidate.high, preflight);
    return preflight;
  }

  private evidenceFunction(props: RolloutContext, { minTasks, wait }: EvidenceConfig): BundledFunction {
    const evidence = new BundledFunction(this, 'Evidence', {
      bundle: 'evidence',
      description: 'Counts the finished tasks of a release before it is promoted',
      timeout: wait.plus(EVIDENCE_OVERHEAD),
      environment: {
        [Env.AGENT]: props.agentName,
        [Env.RELEASE]: props.release.releaseId,
        [Env.CONTROL_TABLE]: props.store.control.tableName,
        [Env.EVIDENCE_MIN_TASKS]: String(minTasks),
        [Env.EVIDENCE_WAIT_SECONDS]: String(wait.toSeconds()),
      },
    });
    evidence.addToRolePolicy(new PolicyStatement({ actions: EVIDENCE_ACTIONS, resources: ['*'] }));
    acknowledgeWildcard(
      evidence.role ?? evidence,
      '*',
      'CloudWatch does not support resource-level permissions for cloudwatch:GetMetricData (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html)',
    );
    grantReadRouting(props.store, evidence);
    return evidence;
  }

  private rolloutCheck({ agentName, intake }: RolloutContext): BundledFunction {
    const check = new BundledFunction(this, 'Check', {
      bundle: 'rollout-check',
      description: 'Waits until all traffic of the router alias is on its new version (custom resource)',
      timeout: CHECK_WAIT.plus(Duration.minutes(1)),
      environment: { [Env.AGENT]: agentName },
    });
    check.addToRolePolicy(
      new PolicyStatement({ actions: ROLLOUT_CHECK_ACTIONS, resources: [intake.router.functionArn] }),
    );
    return check;
  }
}

function limitOf({ unit, source }: PlatformLimit): string {
  return `${unit} (${source})`;
}
