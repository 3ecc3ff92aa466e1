import { Duration } from 'aws-cdk-lib';
import { ComparisonOperator, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { type GateOptions, GateSeverity, QualityGate, QualityGates } from '../../../lib';
import { LaneError } from '../../../lib/common';
import { DIMENSION_SETS, METRIC_NAMESPACE, TaskMetric } from '../../../lib/contract';
import { evaluateMath } from '../../../rehearsal/services/cloudwatch/math-evaluator';
import { parseMath } from '../../../rehearsal/services/cloudwatch/math-parser';
import { testStack } from '../../support/stack';
import { resourcesOf } from '../../support/template';

const RELEASE = 'r-0123456789ab';

interface MetricEntry {
  readonly Id: string;
  readonly Expression?: string;
  readonly MetricStat?: {
    readonly Metric: {
      readonly Namespace: string;
      readonly MetricName: string;
      readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
    };
    readonly Period: number;
    readonly Stat: string;
  };
}

interface AlarmProperties {
  readonly Metrics: readonly MetricEntry[];
  readonly Threshold: number;
  readonly ComparisonOperator: string;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm: number;
  readonly TreatMissingData: string;
  readonly AlarmDescription: string;
}

function alarmOf(gate: QualityGate): AlarmProperties {
  const stack = testStack();
  new QualityGates(stack, 'Gates', { agentName: 'support', releaseId: RELEASE, gates: { it: gate } });
  const [alarm] = Object.values(resourcesOf(stack)).filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm');
  return alarm?.Properties as unknown as AlarmProperties;
}

/** Metrics of the alarm as `name statistic dimensions`, by id. */
function metricsOf({ Metrics }: AlarmProperties): Record<string, string> {
  return Object.fromEntries(
    Metrics.flatMap(({ Id, MetricStat }) => {
      if (MetricStat === undefined) {
        return [];
      }
      const dimensions = MetricStat.Metric.Dimensions.map(({ Name, Value }) => `${Name}=${Value}`).join(',');
      return [[Id, `${MetricStat.Metric.MetricName} ${MetricStat.Stat} ${dimensions}`]];
    }),
  );
}

/** The value that the alarm is judged by, of one period with these metrics; undefined: no data point. */
function judged(
  { Metrics }: AlarmProperties,
  values: Readonly<Record<string, number | undefined>>,
): number | undefined {
  const expression = Metrics.find(({ Expression }) => Expression !== undefined)?.Expression ?? '';
  const [value] = evaluateMath(parseMath(expression), (id) => (id in values ? [values[id]] : undefined), 1);
  return value;
}

describe('cost gate', () => {
  const alarm = alarmOf(QualityGate.cost());

  test("watches the release's mean cost beside the stable lane's", () => {
    expect(metricsOf(alarm)).toEqual({
      n: `TaskCost SampleCount Agent=support,Release=${RELEASE}`,
      v: `TaskCost Average Agent=support,Release=${RELEASE}`,
      s: 'TaskCost SampleCount Agent=support,Lane=stable',
      base: 'TaskCost Average Agent=support,Lane=stable',
    });
  });

  test('fires above 20 % more than the stable lane', () => {
    expect(alarm).toMatchObject({ Threshold: 20, ComparisonOperator: 'GreaterThanThreshold' });
    expect(judged(alarm, { n: 20, s: 20, v: 0.013, base: 0.01 })).toBeCloseTo(30, 3);
    expect(judged(alarm, { n: 20, s: 20, v: 0.009, base: 0.01 })).toBeCloseTo(-10, 3);
  });

  test('is neutral below the minimum of samples on either side', () => {
    expect(judged(alarm, { n: 19, s: 20, v: 9, base: 0.01 })).toBe(0);
    expect(judged(alarm, { n: 20, s: 19, v: 9, base: 0.01 })).toBe(0);
    expect(judged(alarm, { n: 20, s: undefined, v: 9, base: undefined }) ?? 0).toBe(0);
  });

  test('stays defined when the stable lane costs nothing: equal is 0, anything above is a breach', () => {
    expect(judged(alarm, { n: 20, s: 20, v: 0, base: 0 })).toBe(0);
    expect(judged(alarm, { n: 20, s: 20, v: 0.001, base: 0 })).toBeGreaterThan(20);
  });
});

describe('latency gate', () => {
  test('with p99 watches the duration in milliseconds', () => {
    const alarm = alarmOf(QualityGate.latency({ p99: Duration.seconds(10) }));
    expect(metricsOf(alarm)).toEqual({
      n: `TaskDuration SampleCount Agent=support,Release=${RELEASE}`,
      v: `TaskDuration p99 Agent=support,Release=${RELEASE}`,
    });
    expect(alarm).toMatchObject({ Threshold: 10_000, ComparisonOperator: 'GreaterThanThreshold' });
    expect(judged(alarm, { n: 20, v: 10_500 })).toBe(10_500);
    expect(judged(alarm, { n: 19, v: 10_500 })).toBe(0);
  });

  test('with maxIncrease compares the p99 of both', () => {
    const alarm = alarmOf(QualityGate.latencyIncrease({ maxIncrease: 0.5 }));
    expect(metricsOf(alarm)).toMatchObject({ base: 'TaskDuration p99 Agent=support,Lane=stable' });
    expect(alarm.Threshold).toBe(50);
    expect(judged(alarm, { n: 20, s: 20, v: 3000, base: 1000 })).toBeCloseTo(200, 3);
  });
});

describe('error rate gate', () => {
  const alarm = alarmOf(QualityGate.errorRate({ max: 0.1 }));

  test('watches the share of failed tasks', () => {
    expect(metricsOf(alarm)).toEqual({
      n: `TasksFinished Sum Agent=support,Release=${RELEASE}`,
      failed: `TasksFailed Sum Agent=support,Release=${RELEASE}`,
    });
    expect(alarm).toMatchObject({ Threshold: 0.1, ComparisonOperator: 'GreaterThanThreshold' });
    expect(judged(alarm, { n: 40, failed: 10 })).toBe(0.25);
    expect(judged(alarm, { n: 19, failed: 19 })).toBe(0);
    expect(judged(alarm, { n: undefined, failed: undefined })).toBeUndefined();
  });
});

describe('tool calls gate', () => {
  test('compares the mean number of calls', () => {
    const alarm = alarmOf(QualityGate.toolCalls({ maxIncrease: 1 }));
    expect(metricsOf(alarm)).toMatchObject({
      v: `TaskToolCalls Average Agent=support,Release=${RELEASE}`,
      base: 'TaskToolCalls Average Agent=support,Lane=stable',
    });
    expect(alarm.Threshold).toBe(100);
    expect(judged(alarm, { n: 20, s: 20, v: 3, base: 0 })).toBeGreaterThan(100);
  });
});

describe('quality score gate', () => {
  test('fires below the minimum and takes few samples for a full score', () => {
    const alarm = alarmOf(QualityGate.qualityScore({ min: 0.8 }));
    expect(metricsOf(alarm)).toEqual({
      n: `TaskQualityScore SampleCount Agent=support,Release=${RELEASE}`,
      v: `TaskQualityScore Average Agent=support,Release=${RELEASE}`,
    });
    expect(alarm).toMatchObject({ Threshold: 0.8, ComparisonOperator: 'LessThanThreshold' });
    expect(judged(alarm, { n: 20, v: 0.5 })).toBe(0.5);
    expect(judged(alarm, { n: 19, v: 0.5 })).toBe(1);
  });
});

describe('custom gate', () => {
  test('watches the metric as it is given', () => {
    const metric = new Metric({
      namespace: 'Shop',
      metricName: 'Refunds',
      statistic: 'Sum',
      period: Duration.minutes(5),
    });
    const alarm = alarmOf(
      QualityGate.custom({
        metric,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        threshold: 3,
        description: 'refunds that the agent granted',
        runbook: 'https://wiki.example.com/refunds',
      }),
    );
    expect(alarm).toMatchObject({
      Namespace: 'Shop',
      MetricName: 'Refunds',
      Period: 300,
      Threshold: 3,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      AlarmDescription:
        "Gate 'it' of agent 'support' (critical, rolls the release back): refunds that the agent granted. What to do: https://wiki.example.com/refunds.",
    });
  });
});

const EVERY_GATE = {
  cost: QualityGate.cost(),
  latency: QualityGate.latency({ p99: Duration.seconds(1) }),
  slower: QualityGate.latencyIncrease({ maxIncrease: 1 }),
  errors: QualityGate.errorRate(),
  toolCalls: QualityGate.toolCalls(),
  quality: QualityGate.qualityScore({ min: 0.5 }),
};

describe('every gate', () => {
  test.each(Object.entries(EVERY_GATE))('%s watches metrics that the worker emits, and no more than ten', (_, gate) => {
    const { Metrics } = alarmOf(gate);
    expect(Metrics.length).toBeLessThanOrEqual(10);
    const names: readonly string[] = Object.values(TaskMetric);
    const sets = DIMENSION_SETS.map((set) => set.join());
    for (const { MetricStat } of Metrics.filter(({ MetricStat: stat }) => stat !== undefined)) {
      expect(MetricStat?.Metric.Namespace).toBe(METRIC_NAMESPACE);
      expect(names).toContain(MetricStat?.Metric.MetricName);
      expect(sets).toContain(MetricStat?.Metric.Dimensions.map(({ Name }) => Name).join());
    }
  });

  test.each(Object.entries(EVERY_GATE))('%s says how it treats missing data and what to do', (_, gate) => {
    const alarm = alarmOf(gate);
    expect(alarm).toMatchObject({ TreatMissingData: 'notBreaching', EvaluationPeriods: 3, DatapointsToAlarm: 2 });
    expect(alarm.AlarmDescription).toMatch(/tolerated .*What to do: \S/);
  });

  test('can be given its periods and samples', () => {
    const alarm = alarmOf(
      QualityGate.errorRate({
        minSamples: 7,
        period: Duration.minutes(5),
        evaluationPeriods: 1,
        severity: GateSeverity.WARNING,
      }),
    );
    expect(alarm).toMatchObject({ EvaluationPeriods: 1, DatapointsToAlarm: 1 });
    expect(alarm.Metrics.flatMap(({ MetricStat }) => MetricStat?.Period ?? [])).toEqual([300, 300]);
    expect(judged(alarm, { n: 7, failed: 7 })).toBe(1);
    expect(alarm.AlarmDescription).toContain('(warning, does not stop the rollout)');
  });

  test.each<[GateOptions, RegExp]>([
    [{ period: Duration.seconds(90) }, /period must be whole minutes, got 90 s/],
    [{ minSamples: 0 }, /minSamples must be an integer of 1 or more, got 0/],
    [{ evaluationPeriods: 1.5 }, /evaluationPeriods must be an integer of 1 or more, got 1\.5/],
    [
      { evaluationPeriods: 2, datapointsToAlarm: 3 },
      /datapointsToAlarm must be at most evaluationPeriods \(2\), got 3/,
    ],
    [{ period: Duration.hours(1), evaluationPeriods: 25 }, /must be at most 86400 s, .* got 90000 s/],
  ])('refuses %j', (options, message) => {
    expect(() => alarmOf(QualityGate.errorRate(options))).toThrow(message);
  });

  test.each([
    [QualityGate.cost({ maxIncrease: -0.1 }), /maxIncrease must be 0 or more, got -0\.1/],
    [QualityGate.errorRate({ max: 5 }), /error rate gate: max must be between 0 and 1, got 5/],
    [QualityGate.qualityScore({ min: 70 }), /quality score gate: min must be between 0 and 1, got 70/],
    [QualityGate.latency({ p99: Duration.seconds(0) }), /p99 must be more than 0, got 0 ms/],
  ])('refuses a threshold out of range (%#)', (gate, message) => {
    expect(() => alarmOf(gate)).toThrow(message);
  });

  test('refuses a name that cannot be part of a logical id, and says where', () => {
    const make = () =>
      new QualityGates(testStack(), 'Gates', {
        agentName: 'support',
        releaseId: RELEASE,
        gates: { 'error rate': QualityGate.errorRate() },
      });
    expect(make).toThrow(LaneError);
    expect(make).toThrow(/Test\/Gates.*InvalidGateName: gate 'error rate'/);
  });

  test('refuses a runbook that does not fit into an alarm', () => {
    expect(() => alarmOf(QualityGate.errorRate({ runbook: 'x'.repeat(1000) }))).toThrow(/at most 1024/);
  });
});
