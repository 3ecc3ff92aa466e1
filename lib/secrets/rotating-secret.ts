import { Duration, Stack } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  Metric,
  type MetricOptions,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as FunctionTarget } from 'aws-cdk-lib/aws-events-targets';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, ViaServicePrincipal } from 'aws-cdk-lib/aws-kms';
import type { CfnPermission, IFunction, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnRotationSchedule, type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { BundledFunction, describeValue, laneError } from '../common';
import { Dimension, Env, METRIC_NAMESPACE, ROTATION_WATCH, RotationMetric } from '../contract';
import { type ApiKeyRotation, type ApiKeyRotationConfig, grantOnSecret, policyArn } from './api-key-rotation';
import { ROTATE_SECRET_ACTIONS, WATCH_SECRET_ACTIONS } from './perms';

export interface RotatingSecretProps {
  /** Name of the agent that uses the secret: the dimension of the metrics. */
  readonly agentName: string;

  /** Name by which the agent asks for the secret, as in `AgentServiceProps.secrets`. */
  readonly secretName: string;

  /** Where new keys come from. */
  readonly rotation: ApiKeyRotation;

  /**
   * The secret to rotate. Its text is the key and nothing else.
   *
   * @default - created, with a random value until it is rotated for the first time
   */
  readonly secret?: ISecret;

  /** How often it is rotated: whole hours, 4 hours to 1,000 days. @default Duration.days(30) */
  readonly interval?: Duration;

  /**
   * How long the key before the current one stays valid, so that nobody who still holds it is cut off: less than `interval`,
   * and at least 10 minutes, in whole minutes. Workers ask for the key at every model call, and keep it for five minutes at
   * most; what else the agent reads with `ctx.secret` and holds on to should be done with it by then.
   *
   * With `ApiKeyRotation.keyPool` people revoke the old keys, and should wait as long.
   *
   * @default Duration.hours(24)
   */
  readonly gracePeriod?: Duration;

  /**
   * Whether a deployment that changes the rotation rotates the secret at once.
   *
   * CloudFormation's own default is yes. Here it is no, on purpose: a deployment that rotates makes a new key in the middle
   * of a rollout, with two changes at once to blame for what goes wrong, spends a key of a pool each time, and does so
   * before anybody could put the admin key or the pool in. So the first rotation is started by a person, once:
   * `aws secretsmanager rotate-secret --secret-id …`.
   *
   * @default false
   */
  readonly rotateImmediatelyOnUpdate?: boolean;

  /** Told when a rotation fails or is overdue, or a pool runs dry. @default nobody */
  readonly alarmAction?: IAlarmAction;

  /** Key that encrypts the secret that is created here. @default a key that AWS manages */
  readonly encryptionKey?: IKey;
}

/** Bounds of Secrets Manager, https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html */
const MIN_INTERVAL = Duration.hours(4);
const MAX_INTERVAL = Duration.days(1000);

const MIN_GRACE = Duration.minutes(10);

/** A new key is tried five times, and each try may take ten seconds. */
const TIMEOUT = Duration.minutes(2);

/** More often only where the grace period is shorter: a key is deleted by the first watch after it. */
const WATCH_EVERY = Duration.hours(1);

/** Three times the watch: without a value for so long, the watch itself does not work. */
const AGE_PERIOD = Duration.hours(3);

/** Secrets Manager rotates within a day of the time that is due, and repeats what failed. */
const MAX_MARGIN = Duration.days(2);

/** A pool with so few unused keys left calls for people. */
const FEW_KEYS = 1;

const ROTATOR = 'secretsmanager.amazonaws.com';

/**
 * A secret that is rotated, watched and alarmed. Workers read it at run time, so that no rotation needs a deployment.
 *
 * No secret at all is better: Bedrock is called with the worker's role (`ModelSpec.bedrock`).
 *
 * That a rotation fails, the errors of its function say. That none happens at all, no error says, and an alarm can look
 * back no further than seven days (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html).
 * So the function measures the age of the current value every hour, and the alarm is on the age. Should the hourly values
 * stop, that alarm has insufficient data, which calls the same people.
 */
export class RotatingSecret extends Construct {
  /** For `AgentServiceProps.secrets`, under {@link RotatingSecretProps.secretName}. */
  readonly secret: ISecret;
  /** Watches the secret, and rotates it unless a function of yours does. */
  readonly function: LambdaFunction;
  /** In ALARM when a step of a rotation, or the hourly watch, failed. */
  readonly failureAlarm: Alarm;
  /** In ALARM when the current value is older than it should ever be. */
  readonly overdueAlarm: Alarm;
  /** In ALARM when the pool has one unused key or none. Only with `ApiKeyRotation.keyPool`. */
  readonly poolAlarm?: Alarm;
  private readonly props: RotatingSecretProps;

  constructor(scope: Construct, id: string, props: RotatingSecretProps) {
    super(scope, id);
    this.props = props;
    const { agentName, encryptionKey, secretName } = props;
    for (const [name, text] of Object.entries({ agentName, secretName })) {
      if (text.trim() === '') {
        throw laneError(this, 'InvalidSecretName', `${name} must not be empty, got '${text}'`);
      }
    }
    const { interval, gracePeriod } = this.checkTimes();
    const config = props.rotation._bind(this, { interval, gracePeriod });
    if (props.secret !== undefined && encryptionKey !== undefined) {
      throw laneError(
        this,
        'ConflictingEncryptionKey',
        'secret and encryptionKey are both set: an existing secret has its own key; remove encryptionKey',
      );
    }
    this.secret =
      props.secret ??
      new Secret(this, 'Secret', {
        description: `Key '${secretName}' of agent ${agentName}; rotated`,
        encryptionKey,
      });

    this.function = new BundledFunction(this, 'Function', {
      bundle: 'rotation',
      description: 'Rotates a secret, and watches its age',
      timeout: TIMEOUT,
      environment: {
        [Env.AGENT]: agentName,
        [Env.ROTATED_SECRET]: this.secret.secretArn,
        [Env.ROTATED_SECRET_NAME]: secretName,
        [Env.ROTATION]: config.settings,
      },
    });
    for (const read of config.reads) {
      read.grantRead(this.function);
    }
    this.schedule(config, interval);
    new Rule(this, 'Watch', {
      description: `Measures the age of secret '${secretName}' of agent ${agentName}`,
      schedule: Schedule.rate(gracePeriod.toMinutes() < WATCH_EVERY.toMinutes() ? gracePeriod : WATCH_EVERY),
      targets: [new FunctionTarget(this.function, { event: RuleTargetInput.fromObject({ ...ROTATION_WATCH }) })],
    });

    this.failureAlarm = this.makeFailureAlarm(config.handler ?? this.function);
    this.overdueAlarm = this.makeOverdueAlarm(interval);
    if (config.runsDry) {
      this.poolAlarm = this.makePoolAlarm();
    }
  }

  /** Rotations that came to their end. Count; sum by default. Not with `ApiKeyRotation.custom`. */
  metricRotated(options: MetricOptions = {}): Metric {
    return this.metric(RotationMetric.ROTATED, { statistic: Stats.SUM, ...options });
  }

  /** Steps that failed. Count; sum by default. Not with `ApiKeyRotation.custom`. */
  metricFailed(options: MetricOptions = {}): Metric {
    return this.metric(RotationMetric.FAILED, { statistic: Stats.SUM, ...options });
  }

  /** Days since the current value became current. Minimum by default: a rotation is seen at once. */
  metricAgeDays(options: MetricOptions = {}): Metric {
    return this.metric(RotationMetric.AGE, { statistic: Stats.MINIMUM, ...options });
  }

  /** Keys of the pool that were not used yet. Count; minimum by default. Only with `ApiKeyRotation.keyPool`. */
  metricPoolRemaining(options: MetricOptions = {}): Metric {
    return this.metric(RotationMetric.POOL_REMAINING, { statistic: Stats.MINIMUM, ...options });
  }

  private metric(metricName: string, options: MetricOptions): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: { [Dimension.AGENT]: this.props.agentName, [Dimension.SECRET]: this.props.secretName },
      ...options,
    });
  }

  private checkTimes(): { readonly interval: Duration; readonly gracePeriod: Duration } {
    const { interval = Duration.days(30), gracePeriod = Duration.hours(24) } = this.props;
    const hours = interval.isUnresolved() ? Number.NaN : interval.toHours({ integral: false });
    if (!(Number.isInteger(hours) && hours >= MIN_INTERVAL.toHours() && hours <= MAX_INTERVAL.toHours())) {
      throw laneError(
        this,
        'InvalidRotationInterval',
        `interval must be whole hours between ${describeValue(MIN_INTERVAL)} and ${describeValue(MAX_INTERVAL)}, got ${describeValue(interval)}`,
      );
    }
    const grace = gracePeriod.isUnresolved() ? Number.NaN : gracePeriod.toMinutes({ integral: false });
    if (!(Number.isInteger(grace) && grace >= MIN_GRACE.toMinutes() && grace < hours * 60)) {
      throw laneError(
        this,
        'InvalidGracePeriod',
        `gracePeriod must be whole minutes, at least ${describeValue(MIN_GRACE)} and less than interval (${describeValue(interval)}), got ${describeValue(gracePeriod)}; a key must be invalid before the next one replaces it`,
      );
    }
    return { interval, gracePeriod };
  }

  /** Lets Secrets Manager call the function for this secret alone, and the function do its steps, before there is a schedule. */
  private schedule({ handler }: ApiKeyRotationConfig, interval: Duration): void {
    const rotator: IFunction = handler ?? this.function;
    rotator.addPermission(`Rotate${this.node.addr}`, {
      principal: new ServicePrincipal(ROTATOR),
      sourceAccount: Stack.of(this).account,
      sourceArn: policyArn(this.secret),
    });
    const schedule = new CfnRotationSchedule(this, 'Schedule', {
      secretId: this.secret.secretArn,
      rotationLambdaArn: rotator.functionArn,
      rotationRules: { scheduleExpression: Schedule.rate(interval).expressionString },
      rotateImmediatelyOnUpdate: this.props.rotateImmediatelyOnUpdate ?? false,
    });
    const permission = rotator.permissionsNode.tryFindChild(`Rotate${this.node.addr}`) as CfnPermission | undefined;
    if (permission !== undefined) {
      schedule.addResourceDependency(permission);
    }
    grantOnSecret(this.secret, rotator, ROTATE_SECRET_ACTIONS).applyBefore(schedule);
    if (handler !== undefined) {
      grantOnSecret(this.secret, this.function, WATCH_SECRET_ACTIONS);
    }
    const via = `secretsmanager.${Stack.of(this).region}.amazonaws.com`;
    this.secret.encryptionKey?.grantEncryptDecrypt(new ViaServicePrincipal(via, rotator.grantPrincipal));
  }

  private makeFailureAlarm(rotator: IFunction): Alarm {
    return this.alarm('FailureAlarm', {
      metric: rotator.metricErrors({ period: Duration.minutes(5), statistic: Stats.SUM }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: 0,
      missing: TreatMissingData.NOT_BREACHING,
      says: `a step of its rotation, or the hourly watch over it, failed. The current key stays in use. What to do: the log of function ${rotator.functionName} names the step and the reason. Secrets Manager repeats a rotation by itself; once the reason is mended, "aws secretsmanager rotate-secret" with the version that is labeled AWSPENDING as --client-request-token goes on at once. See docs/secrets.md.`,
    });
  }

  private makeOverdueAlarm(interval: Duration): Alarm {
    const days = interval.toDays({ integral: false });
    const margin = Math.min(MAX_MARGIN.toDays(), days / 2);
    const alarm = this.alarm('OverdueAlarm', {
      metric: this.metricAgeDays({ period: AGE_PERIOD }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: days + margin,
      missing: TreatMissingData.MISSING,
      says: `it is to be rotated every ${interval.toHumanString()} and was not; or, with insufficient data, its age was not measured for ${AGE_PERIOD.toHumanString()}. What to do: "aws secretsmanager describe-secret" says whether rotation is on, when it was last done, and whether a version is stuck with AWSPENDING; "aws secretsmanager rotate-secret" rotates now. See docs/secrets.md.`,
    });
    if (this.props.alarmAction !== undefined) {
      alarm.addInsufficientDataAction(this.props.alarmAction);
    }
    return alarm;
  }

  private makePoolAlarm(): Alarm {
    return this.alarm('PoolAlarm', {
      metric: this.metricPoolRemaining({ period: AGE_PERIOD }),
      comparisonOperator: ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold: FEW_KEYS,
      missing: TreatMissingData.IGNORE,
      says: `its pool has ${FEW_KEYS} unused key left, or none: then a rotation fails and the current key stays in use. What to do: make new keys in the provider's console and add them at the end of the JSON array in the pool's secret. See docs/secrets.md.`,
    });
  }

  private alarm(
    id: string,
    props: {
      readonly metric: Metric;
      readonly comparisonOperator: ComparisonOperator;
      readonly threshold: number;
      readonly missing: TreatMissingData;
      readonly says: string;
    },
  ): Alarm {
    const { agentName, alarmAction, secretName } = this.props;
    const { metric, comparisonOperator, threshold, missing, says } = props;
    const alarm = new Alarm(this, id, {
      metric,
      comparisonOperator,
      threshold,
      evaluationPeriods: 1,
      treatMissingData: missing,
      alarmDescription: `Agent '${agentName}', secret '${secretName}': ${says}`,
    });
    if (alarmAction !== undefined) {
      alarm.addAlarmAction(alarmAction);
    }
    return alarm;
  }
}
