import { z } from 'zod';
import type { MissingData } from './alarm-evaluation';
import { MathError } from './math-parser';
import { checkQueries, expressionQuery, type MetricQuery } from './metric-query';
import { parseStatistic, type Statistic } from './statistics';

export type Comparison =
  | 'GreaterThanOrEqualToThreshold'
  | 'GreaterThanThreshold'
  | 'LessThanThreshold'
  | 'LessThanOrEqualToThreshold';

/** An alarm as CloudWatch understands it, whichever way the template wrote it. */
export interface AlarmDefinition {
  readonly name: string;
  readonly description: string;
  readonly queries: readonly MetricQuery[];
  /** Entry that is compared with the threshold. */
  readonly watched: string;
  readonly periodMs: number;
  readonly comparison: Comparison;
  readonly threshold: number;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number;
  readonly treatMissingData: MissingData;
  readonly ignoreLowSamples: boolean;
  readonly actionsEnabled: boolean;
  readonly actions: {
    readonly OK: readonly string[];
    readonly ALARM: readonly string[];
    readonly INSUFFICIENT_DATA: readonly string[];
  };
}

/** A definition that AWS, or the rehearsal, would refuse. */
export class AlarmDefinitionError extends Error {}

/** CloudFormation hands numbers and booleans over as text as well. */
const number = z.union([
  z.number(),
  z
    .string()
    .regex(/^-?\d+(\.\d+)?$/)
    .transform(Number),
]);
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);
const dimensions = z.array(z.object({ Name: z.string(), Value: z.string() })).max(30);
const period = number.refine(
  (seconds) => seconds === 10 || seconds === 20 || seconds === 30 || (seconds > 0 && seconds % 60 === 0),
  {
    message: 'expected a period of 10, 20 or 30 seconds or a multiple of 60',
  },
);
const actions = z.array(z.string()).max(5).default([]);

const propertiesSchema = z.object({
  AlarmDescription: z.string().default(''),
  ActionsEnabled: flag.default(true),
  AlarmActions: actions,
  OKActions: actions,
  InsufficientDataActions: actions,
  ComparisonOperator: z.enum([
    'GreaterThanOrEqualToThreshold',
    'GreaterThanThreshold',
    'LessThanThreshold',
    'LessThanOrEqualToThreshold',
  ]),
  Threshold: number,
  EvaluationPeriods: number.pipe(z.number().int().positive()),
  DatapointsToAlarm: number.pipe(z.number().int().positive()).optional(),
  TreatMissingData: z.enum(['missing', 'ignore', 'breaching', 'notBreaching']).default('missing'),
  EvaluateLowSampleCountPercentile: z.enum(['evaluate', 'ignore']).default('evaluate'),
  Namespace: z.string().optional(),
  MetricName: z.string().optional(),
  Dimensions: dimensions.default([]),
  Period: period.optional(),
  Statistic: z.string().optional(),
  ExtendedStatistic: z.string().optional(),
  Unit: z.string().optional(),
  Metrics: z
    .array(
      z.object({
        Id: z.string(),
        Label: z.string().optional(),
        ReturnData: flag.default(true),
        Expression: z.string().optional(),
        Period: period.optional(),
        MetricStat: z
          .object({
            Metric: z.object({ Namespace: z.string(), MetricName: z.string(), Dimensions: dimensions.default([]) }),
            Period: period,
            Stat: z.string(),
            Unit: z.string().optional(),
          })
          .optional(),
      }),
    )
    .optional(),
});

/**
 * Reads the properties of `AWS::CloudWatch::Alarm`.
 *
 * @throws AlarmDefinitionError naming the property
 */
export function readAlarm(name: string, properties: Readonly<Record<string, unknown>>): AlarmDefinition {
  const parsed = propertiesSchema.safeParse(properties);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new AlarmDefinitionError(`alarm ${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  }
  const given = parsed.data;
  const fail = (message: string): never => {
    throw new AlarmDefinitionError(`alarm ${name}: ${message}`);
  };
  const { queries, watched, seconds } =
    given.Metrics === undefined ? singleMetric(given, fail) : severalMetrics(given.Metrics, fail);
  const datapointsToAlarm = given.DatapointsToAlarm ?? given.EvaluationPeriods;
  if (datapointsToAlarm > given.EvaluationPeriods) {
    fail(`DatapointsToAlarm ${datapointsToAlarm} is more than EvaluationPeriods ${given.EvaluationPeriods}`);
  }
  if (seconds * given.EvaluationPeriods > 86_400) {
    fail(`EvaluationPeriods × Period is ${seconds * given.EvaluationPeriods} seconds; CloudWatch allows one day`);
  }
  const foreign = [...given.AlarmActions, ...given.OKActions, ...given.InsufficientDataActions].find(
    (arn) => !arn.includes(':sns:') && !arn.includes(':scalingPolicy:'),
  );
  if (foreign !== undefined) {
    fail(`not rehearsable: action ${foreign}; the rehearsal knows SNS topics and scaling policies`);
  }
  return {
    name,
    description: given.AlarmDescription,
    queries,
    watched,
    periodMs: seconds * 1000,
    comparison: given.ComparisonOperator,
    threshold: given.Threshold,
    evaluationPeriods: given.EvaluationPeriods,
    datapointsToAlarm,
    treatMissingData: given.TreatMissingData,
    ignoreLowSamples: given.EvaluateLowSampleCountPercentile === 'ignore',
    actionsEnabled: given.ActionsEnabled,
    actions: { OK: given.OKActions, ALARM: given.AlarmActions, INSUFFICIENT_DATA: given.InsufficientDataActions },
  };
}

type Properties = z.infer<typeof propertiesSchema>;
type Fail = (message: string) => never;
interface Watch {
  readonly queries: readonly MetricQuery[];
  readonly watched: string;
  readonly seconds: number;
}

function singleMetric(given: Properties, fail: Fail): Watch {
  const { Namespace: namespace, MetricName: metricName, Period: seconds } = given;
  if (namespace === undefined || metricName === undefined || seconds === undefined) {
    return fail('needs either Metrics, or Namespace, MetricName and Period');
  }
  return {
    queries: [
      {
        kind: 'metric',
        id: 'm1',
        metric: { namespace, name: metricName, dimensions: record(given.Dimensions) },
        statistic: statistic(given.ExtendedStatistic ?? given.Statistic, fail),
        unit: given.Unit,
        returnData: true,
      },
    ],
    watched: 'm1',
    seconds,
  };
}

function severalMetrics(metrics: NonNullable<Properties['Metrics']>, fail: Fail): Watch {
  const queries = metrics.map((entry): MetricQuery => {
    if (entry.Expression !== undefined) {
      return guarded(fail, () => expressionQuery(entry.Id, entry.Expression ?? '', entry.ReturnData));
    }
    if (entry.MetricStat === undefined) {
      return fail(`Metrics entry "${entry.Id}" has neither Expression nor MetricStat`);
    }
    const { Metric: metric, Stat, Unit: unit } = entry.MetricStat;
    return {
      kind: 'metric',
      id: entry.Id,
      metric: { namespace: metric.Namespace, name: metric.MetricName, dimensions: record(metric.Dimensions) },
      statistic: statistic(Stat, fail),
      unit,
      returnData: entry.ReturnData,
    };
  });
  guarded(fail, () => checkQueries(queries));
  const watched = queries.filter((query) => query.returnData).map((query) => query.id);
  const [only] = watched;
  if (only === undefined || watched.length > 1) {
    return fail(`exactly one entry of Metrics must return data, and ${watched.length} do: ${watched.join(', ')}`);
  }
  const periods = [
    ...new Set(metrics.map((entry) => entry.MetricStat?.Period ?? entry.Period).filter((value) => value !== undefined)),
  ];
  const [seconds] = periods;
  if (seconds === undefined || periods.length > 1) {
    return fail(`all entries of Metrics need the same period, and these are given: ${periods.join(', ')} seconds`);
  }
  if (queries.filter((query) => query.kind === 'metric').length > 10) {
    return fail('an alarm on metric math takes 10 metrics at most');
  }
  return { queries, watched: only, seconds };
}

function guarded<T>(fail: Fail, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MathError) {
      return fail(error.message);
    }
    throw error;
  }
}

function statistic(text: string | undefined, fail: Fail): Statistic {
  return (
    parseStatistic(text ?? '') ??
    fail(`not rehearsable: statistic ${text}; the rehearsal knows Sum, Average, Minimum, Maximum, SampleCount and pNN`)
  );
}

function record(dimensions: readonly { readonly Name: string; readonly Value: string }[]): Record<string, string> {
  return Object.fromEntries(dimensions.map(({ Name, Value }) => [Name, Value]));
}
