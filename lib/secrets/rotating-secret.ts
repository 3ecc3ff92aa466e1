import { Duration, Stack } from 'aws-cdk-lib';
import {
  type Alarm,
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
import { type AlarmDefinition, BundledFunction, createAlarm, describeValue, laneError } from '../common';
import { Dimension, Env, METRIC_NAMESPACE, ROTATION_WATCH, RotationMetric } from '../contract';
import { type ApiKeyRotation, type ApiKeyRotationConfig, grantOnSecret, policyArn } from './api-key-rotation';
import { ROTATE_SECRET_ACTIONS, WATCH_SECRET_ACTIONS } from './perms';

/** Settings of a {@link RotatingSecret}. */
export interface RotatingSecretProps {
  /** Name of the agent that uses the secret: value of the metric dimension `Agent`. */
  readonly agentName: string;

  /** Name under which the agent reads the secret, as in `AgentServiceProps.secrets`. */
  readonly secretName: string;

  /** Source of new keys. */
  readonly rotation: ApiKeyRotation;

  /**
   * The secret to rotate. Its text is the key alone, not JSON.
   *
   * @default - a secret is created, with a random value until the first rotation
   */
  readonly secret?: ISecret;

  /**
   * Time between rotations: whole hours, 4 hours to 1,000 days
   * (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html).
   *
   * @default Duration.days(30)
   */
  readonly interval?: Duration;

  /**
   * How long the previous key stays valid for workers that still use it: whole minutes, at least 10 minutes and less than
   * `interval`. Workers read the key for every model call and cache it for at most five minutes. An agent
   * that keeps values of `ctx.secret` must not keep them longer than this.
   *
   * With `ApiKeyRotation.keyPool`, operators revoke the old keys, and must wait this long.
   *
   * @default Duration.hours(24)
   */
  readonly gracePeriod?: Duration;

  /**
   * Whether a deployment that changes the rotation rotates the secret at once.
   *
   * The default of CloudFormation is true. Here it is false: a rotation during a rollout would be a second change at the same
   * time, would use up a key of a pool, and would run before an operator could store the admin key or the pool. Start the
   * first rotation by hand: `aws secretsmanager rotate-secret --secret-id …`.
   *
   * @default false
   */
  readonly rotateImmediatelyOnUpdate?: boolean;

  /** Notified when a rotation fails or is overdue, or a pool is nearly empty. @default - no alarm action */
  readonly alarmAction?: IAlarmAction;

  /** Key that encrypts a created secret. @default - a key that AWS manages */
  readonly encryptionKey?: IKey;
}

/** Limits of Secrets Manager: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html */
const MIN_INTERVAL = Duration.hours(4);
const MAX_INTERVAL = Duration.days(1000);

const MIN_GRACE = Duration.minutes(10);

/** A new key is checked up to five times, with a timeout of ten seconds each. */
const TIMEOUT = Duration.minutes(2);

/** Interval of the age check. It is shorter for a shorter grace period: the next check deletes the key. */
const WATCH_EVERY = Duration.hours(1);

/** Three intervals of the age check: without a value for that long, the check itself has failed. */
const AGE_PERIOD = Duration.hours(3);

/** Secrets Manager rotates within a day of the due time, and retries failed rotations. */
const MAX_MARGIN = Duration.days(2);

/** Unused keys at which the pool alarm fires. */
const MIN_POOL_KEYS = 1;

const ROTATOR = 'secretsmanager.amazonaws.com';

/**
 * A secret with rotation and alarms. Workers read it at run time, so a rotation needs no deployment. Prefer models that need
 * no secret: workers call Bedrock with their role (`ModelSpec.bedrock`).
 *
 * A failed rotation shows in the errors of its function. A rotation that never starts causes no error, and an alarm evaluates
 * at most seven days (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html).
 * So the function emits the age of the current value every hour, and an alarm watches the age. If the hourly values stop, the
 * alarm has insufficient data, which notifies the same alarm action.
 */
export class RotatingSecret extends Construct {
  /** For `AgentServiceProps.secrets`, under {@link RotatingSecretProps.secretName}. */
  readonly secret: ISecret;
  /** Measures the age of the secret, and rotates it, except with `ApiKeyRotation.custom`. */
  readonly function: LambdaFunction;
  /** In ALARM when a step of a rotation, or the hourly age check, failed. */
  readonly failureAlarm: Alarm;
  /** In ALARM when the current value is older than the interval plus a margin. */
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
      description: 'Rotates a secret and measures its age',
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

    this.failureAlarm = this.createFailureAlarm(config.handler ?? this.function);
    this.overdueAlarm = this.createOverdueAlarm(interval);
    if (config.hasKeyPool) {
      this.poolAlarm = this.createPoolAlarm();
    }
  }

  /** Completed rotations. Count; sum by default. Not with `ApiKeyRotation.custom`. */
  metricRotated(props?: MetricOptions): Metric {
    return this.metric(RotationMetric.ROTATED, { statistic: Stats.SUM, ...props });
  }

  /** Failed steps. Count; sum by default. Not with `ApiKeyRotation.custom`. */
  metricFailed(props?: MetricOptions): Metric {
    return this.metric(RotationMetric.FAILED, { statistic: Stats.SUM, ...props });
  }

  /** Days since the current value became current. Minimum by default: a rotation shows at once. */
  metricAgeDays(props?: MetricOptions): Metric {
    return this.metric(RotationMetric.AGE, { statistic: Stats.MINIMUM, ...props });
  }

  /** Unused keys of the pool. Count; minimum by default. Only with `ApiKeyRotation.keyPool`. */
  metricPoolRemaining(props?: MetricOptions): Metric {
    return this.metric(RotationMetric.POOL_REMAINING, { statistic: Stats.MINIMUM, ...props });
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

  /** Lets Secrets Manager invoke the function for this secret only, and grants the function its steps, before the schedule. */
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

  private createFailureAlarm(rotator: IFunction): Alarm {
    return this.createSecretAlarm('FailureAlarm', {
      metric: rotator.metricErrors({ period: Duration.minutes(5), statistic: Stats.SUM }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: 0,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      description: `a step of the rotation, or the hourly age check, failed. The current key stays in use. What to do: the log of function ${rotator.functionName} names the step and the reason. Secrets Manager retries the rotation by itself; after fixing the cause, "aws secretsmanager rotate-secret" with the version labeled AWSPENDING as --client-request-token retries it at once. See docs/secrets.md.`,
    });
  }

  private createOverdueAlarm(interval: Duration): Alarm {
    const days = interval.toDays({ integral: false });
    const margin = Math.min(MAX_MARGIN.toDays(), days / 2);
    const alarm = this.createSecretAlarm('OverdueAlarm', {
      metric: this.metricAgeDays({ period: AGE_PERIOD }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: days + margin,
      treatMissingData: TreatMissingData.MISSING,
      description: `the rotation, due every ${interval.toHumanString()}, is overdue; or, with insufficient data, the age was not measured for ${AGE_PERIOD.toHumanString()}. What to do: "aws secretsmanager describe-secret" shows whether rotation is enabled, the last rotation, and whether a version is stuck with AWSPENDING; "aws secretsmanager rotate-secret" rotates now. See docs/secrets.md.`,
    });
    if (this.props.alarmAction !== undefined) {
      alarm.addInsufficientDataAction(this.props.alarmAction);
    }
    return alarm;
  }

  private createPoolAlarm(): Alarm {
    return this.createSecretAlarm('PoolAlarm', {
      metric: this.metricPoolRemaining({ period: AGE_PERIOD }),
      comparisonOperator: ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold: MIN_POOL_KEYS,
      treatMissingData: TreatMissingData.IGNORE,
      description: `the pool has ${MIN_POOL_KEYS} unused key or none: a rotation of an empty pool fails, and the current key stays in use. What to do: create new keys in the provider's console and append them to the JSON array in the pool's secret. See docs/secrets.md.`,
    });
  }

  private createSecretAlarm(id: string, definition: Omit<AlarmDefinition, 'alarmAction'>): Alarm {
    const { agentName, alarmAction, secretName } = this.props;
    return createAlarm(this, id, {
      ...definition,
      description: `Agent '${agentName}', secret '${secretName}': ${definition.description}`,
      alarmAction,
    });
  }
}
