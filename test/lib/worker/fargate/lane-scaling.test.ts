import { Duration } from 'aws-cdk-lib';
import fc from 'fast-check';
import { PreflightMetric } from '../../../../lib/contract';
import type { FargateScaling } from '../../../../lib/worker';
import type { WorkerAvailability } from '../../../../lib/worker/worker-context';
import { evaluateMath, type Series } from '../../../../rehearsal/services/cloudwatch/math-evaluator';
import { parseMath } from '../../../../rehearsal/services/cloudwatch/math-parser';
import { resourcesOf, type TemplateResource } from '../../../support/template';
import { build, IMAGE, ofType } from './support';

interface Step {
  readonly MetricIntervalLowerBound: number;
  readonly MetricIntervalUpperBound?: number;
  readonly ScalingAdjustment: number;
}

interface MetricEntry {
  readonly Id: string;
  readonly Expression?: string;
  readonly ReturnData: boolean;
  readonly MetricStat?: {
    readonly Metric: { readonly MetricName: string };
    readonly Stat: string;
    readonly Period: number;
  };
}

interface LaneAlarm {
  readonly metrics: readonly MetricEntry[];
  readonly properties: Readonly<Record<string, unknown>>;
  readonly steps: readonly Step[];
  readonly policy: Readonly<Record<string, unknown>>;
}

interface LaneScalingTemplate {
  readonly target: Readonly<Record<string, unknown>>;
  readonly out: LaneAlarm;
  readonly in: LaneAlarm;
}

/** The scaling of a lane in the template. */
function scalingOf(
  scaling: FargateScaling,
  availability?: WorkerAvailability,
  laneName = 'Stable',
): LaneScalingTemplate {
  const { stack } = build({ image: IMAGE, scaling }, availability === undefined ? {} : { context: { availability } });
  const resources = Object.entries(resourcesOf(stack)).filter(([id]) => id.startsWith(`Worker${laneName}Scaling`));
  const find = (type: string, test: (resource: TemplateResource) => boolean = () => true) => {
    const found = resources.filter(([, resource]) => resource.Type === type && test(resource));
    const [first] = found;
    if (first === undefined || found.length > 1) {
      throw new Error(`${found.length} of ${type}`);
    }
    return { id: first[0], properties: first[1].Properties ?? {} };
  };
  const alarm = (policyName: string): LaneAlarm => {
    const policy = find('AWS::ApplicationAutoScaling::ScalingPolicy', (r) => r.Properties?.PolicyName === policyName);
    const { properties } = find('AWS::CloudWatch::Alarm', (r) =>
      JSON.stringify(r.Properties?.AlarmActions).includes(`"${policy.id}"`),
    );
    const configuration = policy.properties.StepScalingPolicyConfiguration as { StepAdjustments: Step[] };
    return {
      metrics: properties.Metrics as MetricEntry[],
      properties,
      steps: configuration.StepAdjustments,
      policy: policy.properties,
    };
  };
  return {
    target: find('AWS::ApplicationAutoScaling::ScalableTarget').properties,
    out: alarm('scale-out'),
    in: alarm('scale-in'),
  };
}

/** What is measured of a lane, minute by minute; undefined: no data point. */
interface Minutes {
  readonly waiting: Series;
  readonly taken: Series;
  readonly accepted?: Series;
  readonly probes?: Series;
  readonly running: Series;
}

/** The alarm's value in each minute, by the rehearsal's reading of metric math. */
function values(alarm: LaneAlarm, minutes: Minutes): Series {
  const { length } = minutes.running;
  const nothing: Series = Array.from({ length }, () => undefined);
  const byId = new Map(alarm.metrics.map((metric) => [metric.Id, metric]));
  const measured = ({ Id, MetricStat }: MetricEntry): Series => {
    switch (MetricStat?.Metric.MetricName) {
      case 'ApproximateNumberOfMessagesVisible':
        return Id.includes('Normal') ? minutes.waiting : nothing;
      case 'ApproximateNumberOfMessagesNotVisible':
        return Id.includes('Normal') ? minutes.taken : nothing;
      case 'TasksAccepted':
        return minutes.accepted ?? nothing;
      case 'ProbesSent':
        return minutes.probes ?? nothing;
      case 'CPUUtilization':
        return minutes.running;
      default:
        throw new Error(`no idea of ${MetricStat?.Metric.MetricName}`);
    }
  };
  const lookup = (id: string): Series | undefined => {
    const metric = byId.get(id);
    return metric === undefined ? undefined : seriesOf(metric);
  };
  const seriesOf = (metric: MetricEntry): Series =>
    metric.Expression === undefined ? measured(metric) : evaluateMath(parseMath(metric.Expression), lookup, length);
  const returned = alarm.metrics.find(({ ReturnData }) => ReturnData);
  if (returned === undefined) {
    throw new Error('the alarm looks at nothing');
  }
  return seriesOf(returned);
}

/** Workers that the policy sets for the alarm's value; undefined: it does nothing. */
function setBy({ steps, properties }: LaneAlarm, value: number | undefined): number | undefined {
  const breach = (value ?? 0) - Number(properties.Threshold);
  return steps.find(
    ({ MetricIntervalLowerBound: from, MetricIntervalUpperBound: to }) =>
      breach >= from && (to === undefined || breach < to),
  )?.ScalingAdjustment;
}

/** Workers that an alarm sets after a minute like this. */
function decided(alarm: LaneAlarm, load: number, running: number, accepted = 0): number | undefined {
  // What waits and what is in work count the same; no data where there is nothing, as ECS has it.
  const taken = Math.floor(load / 2);
  const [value] = values(alarm, {
    waiting: [load - taken],
    taken: [taken],
    accepted: [accepted],
    running: [running === 0 ? undefined : running],
  });
  return setBy(alarm, value);
}

const DEFAULT = scalingOf({});

describe('the template', () => {
  test('has exact numbers of workers, and nothing that stops workers when the most is lowered', () => {
    expect(DEFAULT.target).toMatchObject({
      ServiceNamespace: 'ecs',
      ScalableDimension: 'ecs:service:DesiredCount',
      MinCapacity: 0,
      MaxCapacity: 1000,
    });
    expect(scalingOf({ max: 3 }).target).toEqual(DEFAULT.target);
    for (const { policy } of [DEFAULT.out, DEFAULT.in]) {
      expect(policy).toMatchObject({
        PolicyType: 'StepScaling',
        StepScalingPolicyConfiguration: { AdjustmentType: 'ExactCapacity' },
      });
    }
    expect(DEFAULT.out.steps).toEqual(DEFAULT.in.steps);
  });

  test('looks at single minutes, and at no more metrics than an alarm may', () => {
    for (const { metrics, properties } of [DEFAULT.out, DEFAULT.in]) {
      const measured = metrics.filter(({ MetricStat }) => MetricStat !== undefined);
      expect(measured.length).toBeLessThanOrEqual(10);
      expect(new Set(measured.map(({ MetricStat }) => MetricStat?.Period))).toEqual(new Set([60]));
      expect(properties).toMatchObject({ Threshold: 1, ComparisonOperator: 'GreaterThanOrEqualToThreshold' });
    }
    expect(DEFAULT.out.properties).toMatchObject({ DatapointsToAlarm: 1, EvaluationPeriods: 3 });
    expect(DEFAULT.in.properties).toMatchObject({ DatapointsToAlarm: 5, EvaluationPeriods: 5 });
    expect(scalingOf({ scaleInAfter: Duration.minutes(12) }).in.properties).toMatchObject({
      DatapointsToAlarm: 12,
      EvaluationPeriods: 12,
    });
  });

  test('scales each lane by its own queues and its own service', () => {
    const { stack } = build();
    for (const { Properties } of ofType(stack, 'AWS::CloudWatch::Alarm')) {
      const text = JSON.stringify(Properties?.Metrics);
      const lanes = ['stable', 'candidate'].filter((name) => new RegExp(`${name}(High|Normal|Low)`).test(text));
      expect(lanes).toHaveLength(1);
    }
  });

  test('keeps the least for the stable lane alone', () => {
    expect(scalingOf({ min: 3 }).target.MinCapacity).toBe(3);
    expect(scalingOf({ min: 3 }, undefined, 'Candidate').target.MinCapacity).toBe(0);
  });
});

const ASLEEP = { waiting: [undefined], taken: [undefined], running: [undefined] };

describe('a lane without workers', () => {
  test('stays so while nothing comes', () => {
    expect(decided(DEFAULT.out, 0, 0)).toBeUndefined();
    expect(decided(DEFAULT.in, 0, 0)).toBeUndefined();
  });

  test('starts two for one task, one where the agent is built', () => {
    expect(decided(DEFAULT.out, 1, 0)).toBe(2);
    expect(decided(scalingOf({}, { standby: 0, floor: 1 }).out, 1, 0)).toBe(1);
  });

  test('starts as many as the load needs', () => {
    expect(decided(DEFAULT.out, 55, 0)).toBe(6);
    expect(decided(DEFAULT.out, 5_000, 0)).toBe(10);
  });

  test('starts for tasks of which the queues do not tell yet', () => {
    expect(setBy(DEFAULT.out, values(DEFAULT.out, { ...ASLEEP, accepted: [35] })[0])).toBe(4);
    expect(setBy(DEFAULT.out, values(DEFAULT.out, ASLEEP)[0])).toBeUndefined();
  });

  test('starts for a probe in the candidate lane, and waits for none in the stable lane, which is never probed', () => {
    const candidate = scalingOf({}, undefined, 'Candidate');
    expect(setBy(candidate.out, values(candidate.out, { ...ASLEEP, probes: [1] })[0])).toBe(2);
    expect(setBy(DEFAULT.out, values(DEFAULT.out, { ...ASLEEP, probes: [1] })[0])).toBeUndefined();
    expect(JSON.stringify(DEFAULT.out.metrics)).not.toContain(PreflightMetric.PROBES);
  });
});

describe('a lane with workers', () => {
  test('gets more when there is more than they are there for, not before', () => {
    expect(decided(DEFAULT.out, 20, 2)).toBeUndefined();
    expect(decided(DEFAULT.out, 21, 2)).toBe(3);
    expect(decided(DEFAULT.out, 200, 10)).toBeUndefined();
  });

  test('gets no more for many short tasks that leave nothing waiting', () => {
    expect(decided(DEFAULT.out, 3, 2, 500)).toBeUndefined();
  });

  test('gives some up below 60 %, and keeps two while anything is in work', () => {
    expect(decided(DEFAULT.in, 48, 8)).toBeUndefined();
    expect(decided(DEFAULT.in, 47, 8)).toBe(5);
    expect(decided(DEFAULT.in, 1, 8)).toBe(2);
    expect(decided(DEFAULT.in, 1, 2)).toBeUndefined();
  });

  test('gives all up when nothing waits, nothing is in work, and nothing came', () => {
    expect(decided(DEFAULT.in, 0, 2)).toBe(0);
    expect(decided(DEFAULT.in, 0, 2, 1)).toBeUndefined();
    expect(decided(DEFAULT.in, 0, 8, 1)).toBe(2);
  });

  test('keeps its least, and gets it back', () => {
    const kept = scalingOf({ min: 3, floor: 2 });
    expect(decided(kept.in, 0, 3)).toBeUndefined();
    expect(decided(kept.in, 0, 5)).toBe(3);
    expect(decided(kept.out, 0, 1)).toBe(3);
    expect(decided(kept.out, 0, 3)).toBeUndefined();
  });

  test('with more than the most goes down with its load alone', () => {
    const lowered = scalingOf({ max: 4 });
    expect(decided(lowered.out, 90, 9)).toBeUndefined();
    expect(decided(lowered.in, 90, 9)).toBeUndefined();
    expect(decided(lowered.in, 30, 9)).toBe(3);
  });
});

describe('in an environment', () => {
  const production = { standby: 2, floor: 2 };

  test('a lane keeps what the environment keeps', () => {
    expect(scalingOf({}, production).target.MinCapacity).toBe(2);
    expect(scalingOf({}, production, 'Candidate').target.MinCapacity).toBe(0);
    expect(scalingOf({ min: 4 }, production).target.MinCapacity).toBe(4);
  });

  test.each<[FargateScaling, RegExp]>([
    [{ min: 1 }, /ConflictingEnvironment: scaling\.min of the worker must be at least 2, .*got 1/],
    [{ min: 0 }, /ConflictingEnvironment/],
    [{ floor: 1 }, /ConflictingEnvironment: scaling\.floor of the worker must be at least 2, .*got 1/],
  ])('refuses fewer (%j)', (scaling, message) => {
    expect(() => scalingOf(scaling, production)).toThrow(message);
  });

  test('outside any a lane may hang on one worker, if it is said', () => {
    expect(decided(scalingOf({ floor: 1 }).out, 1, 0)).toBe(1);
  });
});

describe('metrics that are late', () => {
  test('repeat the values before them: no worker is removed or added for them', () => {
    const late: Minutes = { waiting: [30, 30, undefined], taken: [50, 50, undefined], running: [8, 8, undefined] };
    expect(values(DEFAULT.out, late)).toEqual([0, 0, 0]);
    expect(values(DEFAULT.in, late)).toEqual([0, 0, 0]);
  });

  test('of the workers alone do not make a lane look empty of them', () => {
    const late: Minutes = { waiting: [0, 0, 0], taken: [70, 70, 70], running: [8, 8, undefined] };
    expect(values(DEFAULT.out, late)).toEqual([0, 0, 0]);
  });
});

const scalings = fc
  .record({
    min: fc.integer({ min: 0, max: 6 }),
    floor: fc.integer({ min: 1, max: 6 }),
    more: fc.integer({ min: 0, max: 60 }),
    backlogPerWorker: fc.integer({ min: 1, max: 25 }),
  })
  .map(({ min, floor, more, backlogPerWorker }) => ({
    min,
    floor,
    max: Math.max(min, floor) + more,
    backlogPerWorker,
  }));

test('for any scaling and any minute: out only raises, in only lowers, and never both', () => {
  fc.assert(
    fc.property(
      scalings,
      fc.array(
        fc.tuple(fc.integer({ min: 0, max: 1_500 }), fc.integer({ min: 0, max: 80 }), fc.integer({ min: 0, max: 60 })),
        {
          minLength: 60,
          maxLength: 60,
        },
      ),
      (scaling, minutes) => {
        const template = scalingOf(scaling);
        for (const [load, running, accepted] of minutes) {
          const more = decided(template.out, load, running, accepted);
          const fewer = decided(template.in, load, running, accepted);
          expect(more === undefined || fewer === undefined).toBe(true);
          expect(more ?? running + 1).toBeGreaterThan(running);
          expect(fewer ?? running).toBeLessThanOrEqual(running);
          expect(more ?? 0).toBeLessThanOrEqual(scaling.max);
        }
      },
    ),
    { numRuns: 15 },
  );
});

test('for any steady load there comes a number of workers that stays, and it is enough', () => {
  fc.assert(
    fc.property(
      scalings,
      fc.array(fc.integer({ min: 0, max: 1_500 }), { minLength: 8, maxLength: 8 }),
      (scaling, loads) => {
        const template = scalingOf(scaling);
        for (const load of loads) {
          const seen: number[] = [0];
          for (let minute = 0; minute < 6; minute++) {
            const running = seen.at(-1) ?? 0;
            seen.push(decided(template.out, load, running) ?? decided(template.in, load, running) ?? running);
          }
          expect(seen.at(-1)).toBe(seen.at(-3));
          expect(seen.at(-1)).toBeGreaterThanOrEqual(Math.min(scaling.max, Math.ceil(load / scaling.backlogPerWorker)));
        }
      },
    ),
    { numRuns: 10 },
  );
});
