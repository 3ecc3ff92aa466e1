import { CfnScalableTarget, CfnScalingPolicy } from 'aws-cdk-lib/aws-applicationautoscaling';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct, type IConstruct } from 'constructs';
import { type LanePlan, MAX_WORKERS } from './fargate-settings';
import type { LaneMetrics } from './lane-metrics';
import { type CapacityStep, capacitySteps, minRunningTasks, SCALE_IN_BELOW } from './scaling-plan';

export interface LaneScalingProps {
  readonly laneName: string;
  readonly plan: LanePlan;
  readonly metrics: LaneMetrics;
  readonly clusterName: string;
  readonly serviceName: string;
}

/**
 * An alarm goes off for one minute of the last three: metrics may be late by one or two, and what is missing repeats what was
 * before.
 */
const OUT_WINDOW = 3;

/** Seconds in which a start is waited for. A greater need is met all the same. */
const OUT_COOLDOWN = 120;
const IN_COOLDOWN = 60;

/**
 * How many workers a lane has. Both policies set an exact number by the load, from the same steps; two alarms say when. The
 * alarms' value is the load and 1, where something is to be done, and 0 elsewhere; so a step is an interval of the load.
 *
 * Nothing here depends on the release: a rollout changes none of it. The most that the target allows is a constant, and the
 * steps keep to `max`: to lower the target's own limit stops workers at once, at whatever they are.
 */
export class LaneScaling extends Construct {
  /** Depend on these to be sure that workers are started. */
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

    // Before the first worker runs, what came in the minute counts as well: the queues' own metrics may be late.
    const need = metrics.math('IF(running < 1, IF(arrivals > load, arrivals, load), load)', measures);
    const short = `((need > ${plan.backlogPerWorker} * running) AND (running < ${plan.max}))`;
    const out = metrics.math(
      `IF(${plan.min === 0 ? short : `${short} OR (running < ${plan.min})`}, need + 1, 0)`,
      { need, running: measures.running },
      `${laneName}: too few workers for the load`,
    );

    // A minute in which something came is not idle, whatever the queues' own metrics say.
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
      this.alarm('OutAlarm', out, outPolicy, [1, OUT_WINDOW], `Starts workers of the ${laneName} lane.`),
      this.alarm(
        'InAlarm',
        within,
        inPolicy,
        [plan.scaleInMinutes, plan.scaleInMinutes],
        `Gives up workers of the ${laneName} lane.`,
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
      alarmDescription: `${description} In ALARM it does its work; nobody need be told. See docs/fargate.md.`,
    });
    alarm.addAlarmAction({ bind: () => ({ alarmActionArn: policy.ref }) });
    return alarm;
  }
}
