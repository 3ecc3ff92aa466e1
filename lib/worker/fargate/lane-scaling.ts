import { CfnScalableTarget, CfnScalingPolicy } from 'aws-cdk-lib/aws-applicationautoscaling';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct, type IConstruct } from 'constructs';
import { type LanePlan, MAX_WORKERS } from './fargate-settings';
import type { LaneMetrics } from './lane-metrics';
import { type CapacityStep, capacitySteps, minRunningTasks, SCALE_IN_BELOW } from './scaling-plan';

/** Settings of a {@link LaneScaling}. */
export interface LaneScalingProps {
  readonly laneName: string;
  readonly plan: LanePlan;
  readonly metrics: LaneMetrics;
  readonly clusterName: string;
  readonly serviceName: string;
}

/**
 * The alarm fires for one breaching minute of the last three: metrics may be one or two minutes late.
 */
const OUT_WINDOW = 3;

/** Seconds to wait for started workers. A larger step during the cooldown is still applied. */
const OUT_COOLDOWN = 120;
/** Seconds between two scale-ins. */
const IN_COOLDOWN = 60;

/**
 * Scaling of a lane. Two alarms trigger two policies, which set an exact number of workers by the load, from the same steps.
 * The value of an alarm's metric is the load + 1 when the lane must scale, and else 0, so a step is an interval of the load.
 *
 * Nothing here depends on the release: a rollout changes none of it. The maximum capacity of the target is a constant, and
 * the steps apply `max`: a lower maximum of the target would stop workers at once, while they run tasks.
 */
export class LaneScaling extends Construct {
  /** Depend on these to be sure that the lane scales. */
  readonly parts: readonly IConstruct[];

  constructor(scope: Construct, id: string, props: LaneScalingProps) {
    super(scope, id);
    const { plan, metrics, laneName } = props;
    const target = new CfnScalableTarget(this, 'Resource', {
      serviceNamespace: 'ecs',
      scalableDimension: 'ecs:service:DesiredCount',
      resourceId: `service/${props.clusterName}/${props.serviceName}`,
      minCapacity: plan.min,
      maxCapacity: MAX_WORKERS,
    });
    const steps = capacitySteps(plan);
    const lowest = minRunningTasks(plan);
    const measures = { load: metrics.load(), arrivals: metrics.arrivals(), running: metrics.running() };

    // Without workers, new messages of the minute count as well: the queues' own metrics may be late.
    const need = metrics.math('IF(running < 1, IF(arrivals > load, arrivals, load), load)', measures);
    const short = `((need > ${plan.backlogPerWorker} * running) AND (running < ${plan.max}))`;
    const out = metrics.math(
      `IF(${plan.min === 0 ? short : `${short} OR (running < ${plan.min})`}, need + 1, 0)`,
      { need, running: measures.running },
      `${laneName}: too few workers for the load`,
    );

    // A minute with new messages is not idle, even if the queues' own metrics are late.
    const busy = metrics.math('IF(arrivals > 0, IF(load > 1, load, 1), load)', measures);
    const enough = Number((SCALE_IN_BELOW * plan.backlogPerWorker).toFixed(4));
    const within = metrics.math(
      `IF(((running > ${lowest}) AND (busy < ${enough} * running)) OR ((running > ${plan.min}) AND (busy < 1)), busy + 1, 0)`,
      { busy, running: measures.running },
      `${laneName}: more workers than the load needs`,
    );

    const outPolicy = this.policy('Out', target, steps, OUT_COOLDOWN);
    const inPolicy = this.policy('In', target, steps, IN_COOLDOWN);
    this.parts = [
      target,
      outPolicy,
      inPolicy,
      this.alarm('OutAlarm', out, outPolicy, [1, OUT_WINDOW], `Scales out the ${laneName} lane.`),
      this.alarm(
        'InAlarm',
        within,
        inPolicy,
        [plan.scaleInMinutes, plan.scaleInMinutes],
        `Scales in the ${laneName} lane.`,
      ),
    ];
  }

  private policy(id: 'Out' | 'In', target: CfnScalableTarget, steps: readonly CapacityStep[], cooldown: number) {
    return new CfnScalingPolicy(this, id, {
      policyName: id === 'Out' ? 'scale-out' : 'scale-in',
      policyType: 'StepScaling',
      scalingTargetId: target.ref,
      stepScalingPolicyConfiguration: {
        adjustmentType: 'ExactCapacity',
        cooldown,
        metricAggregationType: 'Maximum',
        stepAdjustments: steps.map(({ from, to, workers }) => ({
          metricIntervalLowerBound: from,
          metricIntervalUpperBound: to,
          scalingAdjustment: workers,
        })),
      },
    });
  }

  private alarm(
    id: string,
    metric: IMetric,
    policy: CfnScalingPolicy,
    [datapointsToAlarm, evaluationPeriods]: readonly [number, number],
    description: string,
  ): Alarm {
    const alarm = new Alarm(this, id, {
      metric,
      threshold: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods,
      datapointsToAlarm,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: `${description} The ALARM state is part of normal operation and needs no action. See docs/fargate.md.`,
    });
    alarm.addAlarmAction({ bind: () => ({ alarmActionArn: policy.ref }) });
    return alarm;
  }
}
