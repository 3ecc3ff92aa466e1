import { Annotations, CustomResource, Duration, Validations } from 'aws-cdk-lib';
import { LambdaDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct, type IDependable } from 'constructs';
import { acknowledgeWildcard, BundledFunction, laneError } from '../common';
import { CustomResourceType, Env, type PlatformLimit, PlatformLimits } from '../contract';
import { grantSend } from '../lanes/grant-send';
import { queueUrls } from '../lanes/queue-urls';
import { EVIDENCE_OVERHEAD, Evidence, type EvidenceConfig } from './evidence';
import { InFlightTaskPolicy } from './in-flight-task-policy';
import { EVIDENCE_ACTIONS, ROLLOUT_CHECK_ACTIONS } from './perms';
import type { RolloutContext } from './rollout';
import type { TrafficShift } from './traffic-shift';

/** How a rollout by CodeDeploy is to go, besides its traffic shift. */
export interface CodeDeployRolloutOptions {
  /**
   * How long the preflight waits for its probe task to go through the candidate lane: whole seconds, the start of a worker
   * included.
   *
   * @default - 2 minutes, and the time that the worker takes to start (`AgentWorker.startTimeout`)
   */
  readonly preflightTimeout?: Duration;

  /**
   * What must have been seen of a release before everybody gets it.
   *
   * @default Evidence.atLeast(20)
   */
  readonly evidence?: Evidence;

  /**
   * What becomes of the tasks that the release runs when the rollout is put back.
   *
   * @default InFlightTaskPolicy.FINISH
   */
  readonly onRollback?: InFlightTaskPolicy;

  /**
   * Deploy although a gate is in ALARM: CodeDeploy fails a deployment at once if an alarm is in ALARM when it starts,
   * which can keep out the very release that mends the cause. Give the reason; the gates stay alarms, but the
   * deployment does not listen to them. Meant for one deployment: the context value
   * `cdk-agent-lanes:ignoreGates` does the same from the command line
   * (`cdk deploy -c cdk-agent-lanes:ignoreGates="mends the loop in r-…"`).
   *
   * @default - the gates decide
   */
  readonly ignoreGates?: string;
}

export interface CodeDeployRolloutProps extends CodeDeployRolloutOptions, RolloutContext {
  readonly shift: TrafficShift;
}

/** Context value with the same meaning as `CodeDeployRolloutOptions.ignoreGates`. */
const IGNORE_GATES = 'cdk-agent-lanes:ignoreGates';

/** For the probe task itself, once there is a worker. */
const PROBE_TIMEOUT = Duration.minutes(2);

/** Time that a hook needs besides waiting: to start, to count, to report. */
const PREFLIGHT_OVERHEAD = Duration.seconds(30);

/**
 * When the alias has been updated CodeDeploy is done, so this need only cover the time until every Lambda host says so.
 * With `cdk deploy --express` the update returns at once and the check fails: that is its purpose.
 */
const CHECK_WAIT = Duration.minutes(2);

/**
 * One release from the template to every user. The order is CloudFormation's, by dependencies:
 *
 * 1. worker version and router version are published
 * 2. release record: the release is written down, the rollout is under way
 * 3. candidate lane gets the release
 * 4. alias `live` of the router is shifted by CodeDeploy: preflight, steps watched by the gates, evidence check
 * 5. rollout check: `live` is wholly on the new version
 * 6. stable lane gets the release
 * 7. promoted record: everybody is on the stable lane again
 */
export class CodeDeployRollout extends Construct {
  /** What shifts the users. */
  readonly deploymentGroup: LambdaDeploymentGroup;
  /** Longest time from the preflight to the end of the evidence check. */
  readonly duration: Duration;
  /** Depend on this to come after the promotion. */
  readonly promoted: IDependable;
  /** Runs before the first user meets the release. */
  readonly preflight: LambdaFunction;
  /** Runs after the shift. */
  readonly evidence: LambdaFunction;

  constructor(scope: Construct, id: string, props: CodeDeployRolloutProps) {
    super(scope, id);
    const { release, worker, intake } = props;
    const shift = props.shift.bind(this);
    const evidence = (props.evidence ?? Evidence.atLeast(20)).bind(this);
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
    const { revision, author, time } = release.provenance();
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
    const alarms = this.gateAlarms(props);
    this.deploymentGroup = new LambdaDeploymentGroup(this, 'DeploymentGroup', {
      alias: intake.live,
      deploymentConfig: shift.deploymentConfig,
      alarms,
      ignoreAlarmConfiguration: ignoreGates,
      preHook: this.preflight,
      postHook: this.evidence,
      autoRollback: {
        failedDeployment: true,
        stoppedDeployment: true,
        ...(alarms.length === 0 ? {} : { deploymentInAlarm: true }),
      },
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
      ...alarms,
    );

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
        `preflightTimeout is ${seconds} s${given === undefined ? ` (${PROBE_TIMEOUT.toHumanString()} and the worker's startTimeout)` : ''}, expected whole seconds from 1 to ${longest} ${limitOf(limit)}; ` +
          'give the agent a probe input that is quick to answer',
      );
    }
    if (seconds <= startTimeout.toSeconds()) {
      Annotations.of(this).addWarningV2(
        'cdk-agent-lanes:preflightBelowStart',
        `the preflight waits ${seconds} s, and a worker of the candidate lane may take ${startTimeout.toSeconds()} s to start: a good release can be refused for a slow start; leave preflightTimeout out, or raise it`,
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
        `the rollout takes up to ${Number(minutes.toFixed(1))} minutes (preflight ${preflight.toHumanString()}, shift ` +
          `${shift.toHumanString()}, evidence ${evidence.toHumanString()}), expected at most ${limit.value} ` +
          `${limitOf(limit)}; shorten the shift, or take fewer and larger steps`,
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
        `${IGNORE_GATES} is ${JSON.stringify(reason)}, expected the reason as a sentence; it is shown to whoever reviews the deployment`,
      );
    }
    Annotations.of(this).addWarningV2(
      'cdk-agent-lanes:gatesIgnored',
      `no gate can stop the rollout of ${props.release.releaseId} for agent '${props.agentName}': ${reason}`,
    );
    return true;
  }

  /** A gate that never had its samples stays silent, and silence is no pass. */
  private compareEvidence({ minTasks }: EvidenceConfig, { gates }: RolloutContext): void {
    if (minTasks > 0 && minTasks < gates.minSamples) {
      Annotations.of(this).addWarningV2(
        'cdk-agent-lanes:evidenceBelowSamples',
        `${minTasks} tasks are evidence enough for a promotion, but a critical gate judges no period with fewer than ` +
          `${gates.minSamples}: a release can be promoted that no gate has judged; raise Evidence.atLeast, or lower ` +
          'minSamples and take a longer period',
      );
    }
  }

  private acknowledgeServiceRole(): void {
    Validations.of(this.deploymentGroup.role).acknowledge({
      id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited]',
      reason:
        'The policy that AWS keeps for this purpose; what CodeDeploy reads for a deployment that CloudFormation starts is documented by it alone (https://docs.aws.amazon.com/codedeploy/latest/userguide/getting-started-create-service-role.html)',
    });
    for (const hook of [this.preflight, this.evidence]) {
      acknowledgeWildcard(
        this.deploymentGroup.role,
        `${hook.functionArn}:*`,
        'Invocation of one hook function; the wildcard stands for its versions and aliases',
      );
    }
  }

  private gateAlarms(props: CodeDeployRolloutProps) {
    const alarms = props.gates.critical;
    const limit = PlatformLimits.ROLLOUT_ALARMS;
    if (alarms.length > limit.value) {
      throw laneError(
        this,
        'TooManyGates',
        `${alarms.length} critical gates, expected at most ${limit.value} ${limitOf(limit)}; ` +
          'make some of them warnings, or join them in one math expression (QualityGate.custom)',
      );
    }
    return [...alarms];
  }

  private recorder({ agentName, release, store }: RolloutContext): BundledFunction {
    const recorder = new BundledFunction(this, 'Recorder', {
      bundle: 'recorder',
      description: 'Records releases and what is promoted (custom resource)',
      timeout: Duration.minutes(2),
      environment: { [Env.AGENT]: agentName, [Env.CONTROL_TABLE]: store.control.tableName },
    });
    store.grantRecorder(recorder);
    release.grantRead(recorder);
    return recorder;
  }

  private preflightFunction(props: RolloutContext, timeout: Duration): BundledFunction {
    const preflight = new BundledFunction(this, 'Preflight', {
      bundle: 'preflight',
      description: 'Sends a probe task through the candidate lane before any user meets the release',
      timeout: timeout.plus(PREFLIGHT_OVERHEAD),
      environment: {
        [Env.AGENT]: props.agentName,
        [Env.RELEASE]: props.release.releaseId,
        [Env.TASKS_TABLE]: props.store.tasks.tableName,
        [Env.QUEUES]: queueUrls(this, [props.stable, props.candidate]),
        [Env.PREFLIGHT_TIMEOUT_SECONDS]: String(timeout.toSeconds()),
      },
    });
    props.store.grantPreflight(preflight);
    grantSend(props.candidate.high, preflight);
    return preflight;
  }

  private evidenceFunction(props: RolloutContext, { minTasks, wait }: EvidenceConfig): BundledFunction {
    const evidence = new BundledFunction(this, 'Evidence', {
      bundle: 'evidence',
      description: 'Counts what was seen of a release before everybody gets it',
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
      'CloudWatch knows no resource for cloudwatch:GetMetricData (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html)',
    );
    props.store.grantReadRouting(evidence);
    return evidence;
  }

  private rolloutCheck({ agentName, intake }: RolloutContext): BundledFunction {
    const check = new BundledFunction(this, 'Check', {
      bundle: 'rollout-check',
      description: 'Waits until the router alias is wholly on its new version (custom resource)',
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
