import { z } from 'zod';
import { type Call, type RehearsalService, type RequiredPermission, ServiceError } from '../../core/service';
import { MathError } from './math-parser';
import { checkQueries, evaluateQuery, expressionQuery, type MetricQuery } from './metric-query';
import type { CloudWatchState } from './model';
import { parseStatistic } from './statistics';

/**
 * The operations of the CloudWatch API that the library and its tests call.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html
 */
export class CloudWatchOperations implements RehearsalService {
  readonly signingName = 'monitoring';
  readonly protocol = 'awsJson1.0';
  readonly accessDeniedCode = 'AccessDenied';
  readonly queryErrorCodes = { InvalidParameterValueException: 'InvalidParameterValue' };
  readonly operations = ['GetMetricData', 'DescribeAlarms', 'PutMetricData'] as const;
  readonly #state: CloudWatchState;

  constructor(state: CloudWatchState) {
    this.#state = state;
  }

  authorize(call: Call): readonly RequiredPermission[] {
    if (call.operation === 'PutMetricData') {
      const namespace = typeof call.input.Namespace === 'string' ? call.input.Namespace : '';
      return [
        { action: 'cloudwatch:PutMetricData', resource: '*', conditions: { 'cloudwatch:namespace': [namespace] } },
      ];
    }
    return [{ action: `cloudwatch:${call.operation}`, resource: '*' }];
  }

  async handle(call: Call): Promise<unknown> {
    switch (call.operation) {
      case 'GetMetricData':
        return this.#getMetricData(call.input);
      case 'DescribeAlarms':
        return this.#describeAlarms(call.input);
      case 'PutMetricData':
        return this.#putMetricData(call.input);
      default:
        throw new ServiceError('InvalidAction', `not rehearsable: cloudwatch ${call.operation}`);
    }
  }

  #getMetricData(input: unknown): unknown {
    const request = parse(getMetricDataSchema, input);
    const queries = request.MetricDataQueries.map((entry): MetricQuery => {
      if (entry.MetricStat !== undefined) {
        const statistic = parseStatistic(entry.MetricStat.Stat);
        if (statistic === undefined) {
          throw invalid(`not rehearsable: statistic ${entry.MetricStat.Stat} of ${entry.Id}`);
        }
        const { Metric: metric, Unit: unit } = entry.MetricStat;
        return {
          kind: 'metric',
          id: entry.Id,
          metric: {
            namespace: metric.Namespace,
            name: metric.MetricName,
            dimensions: Object.fromEntries(metric.Dimensions.map(({ Name, Value }) => [Name, Value])),
          },
          statistic,
          unit,
          returnData: entry.ReturnData,
        };
      }
      return expression(entry.Id, entry.Expression ?? '', entry.ReturnData);
    });
    const periods = [
      ...new Set(
        request.MetricDataQueries.map((entry) => entry.MetricStat?.Period ?? entry.Period).filter(
          (value) => value !== undefined,
        ),
      ),
    ];
    const [seconds] = periods;
    if (seconds === undefined || periods.length > 1) {
      throw invalid(`not rehearsable: GetMetricData over different periods (${periods.join(', ')} seconds)`);
    }
    try {
      checkQueries(queries);
    } catch (error) {
      throw error instanceof MathError ? invalid(error.message) : error;
    }
    const periodMs = seconds * 1000;
    const start = Math.floor(milliseconds(request.StartTime) / periodMs) * periodMs;
    const end = milliseconds(request.EndTime);
    if (end <= start) {
      throw invalid(`StartTime ${request.StartTime} must be before EndTime ${request.EndTime}`);
    }
    const grid = { start, periodMs, slots: Math.min(100_800, Math.ceil((end - start) / periodMs)) };
    return {
      MetricDataResults: queries
        .filter((query) => query.returnData)
        .map((query) => {
          const series = compute(() => evaluateQuery(this.#state.store, queries, query.id, grid));
          const points = series
            .map((value, slot) => ({ value, seconds: (start + slot * periodMs) / 1000 }))
            .filter((point) => point.value !== undefined);
          if (request.ScanBy === 'TimestampDescending') {
            points.reverse();
          }
          const label = request.MetricDataQueries.find((entry) => entry.Id === query.id)?.Label;
          return {
            Id: query.id,
            Label: label ?? (query.kind === 'metric' ? query.metric.name : query.id),
            Timestamps: points.map((point) => point.seconds),
            Values: points.map((point) => point.value),
            StatusCode: 'Complete',
          };
        }),
      Messages: [],
    };
  }

  #describeAlarms(input: unknown): unknown {
    const request = parse(describeAlarmsSchema, input);
    const names = request.AlarmNames;
    return {
      MetricAlarms: this.#state.alarmList
        .views()
        .filter(
          (alarm) =>
            (names === undefined || names.includes(alarm.name)) &&
            (request.AlarmNamePrefix === undefined || alarm.name.startsWith(request.AlarmNamePrefix)) &&
            (request.StateValue === undefined || alarm.state === request.StateValue),
        )
        .map((alarm) => {
          const definition = this.#state.alarmList.definition(alarm.name);
          return {
            AlarmName: alarm.name,
            AlarmArn: alarm.arn,
            AlarmDescription: definition?.description,
            StateValue: alarm.state,
            StateReason: alarm.reason,
            StateUpdatedTimestamp: (this.#state.alarmList.stateChangedAt(alarm.name) ?? 0) / 1000,
            Threshold: alarm.threshold,
            ComparisonOperator: definition?.comparison,
            EvaluationPeriods: definition?.evaluationPeriods,
            DatapointsToAlarm: definition?.datapointsToAlarm,
            TreatMissingData: definition?.treatMissingData,
            ActionsEnabled: definition?.actionsEnabled,
            AlarmActions: definition?.actions.ALARM,
            OKActions: definition?.actions.OK,
            InsufficientDataActions: definition?.actions.INSUFFICIENT_DATA,
          };
        }),
      CompositeAlarms: [],
    };
  }

  #putMetricData(input: unknown): unknown {
    const request = parse(putMetricDataSchema, input);
    for (const datum of request.MetricData) {
      const values = datum.Values ?? (datum.Value === undefined ? [] : [datum.Value]);
      const counts = datum.Counts;
      this.#state.store.put(
        {
          namespace: request.Namespace,
          name: datum.MetricName,
          dimensions: Object.fromEntries(datum.Dimensions.map(({ Name, Value }) => [Name, Value])),
        },
        datum.Timestamp === undefined ? this.#state.clock.now() : milliseconds(datum.Timestamp),
        values.flatMap((value, index) => Array.from({ length: counts?.[index] ?? 1 }, () => value)),
        datum.Unit,
      );
    }
    return {};
  }
}

const dimensionList = z.array(z.object({ Name: z.string(), Value: z.string() })).default([]);
const timestamp = z.union([z.number(), z.string(), z.date()]);

const getMetricDataSchema = z.object({
  StartTime: timestamp,
  EndTime: timestamp,
  ScanBy: z.enum(['TimestampDescending', 'TimestampAscending']).default('TimestampDescending'),
  MetricDataQueries: z
    .array(
      z.object({
        Id: z.string(),
        Label: z.string().optional(),
        ReturnData: z.boolean().default(true),
        Expression: z.string().optional(),
        Period: z.number().positive().optional(),
        MetricStat: z
          .object({
            Metric: z.object({ Namespace: z.string(), MetricName: z.string(), Dimensions: dimensionList }),
            Period: z.number().refine((seconds) => seconds > 0 && seconds % 10 === 0, {
              message: 'not rehearsable: a period that is no multiple of 10 seconds',
            }),
            Stat: z.string(),
            Unit: z.string().optional(),
          })
          .optional(),
      }),
    )
    .min(1)
    .max(500),
});

const describeAlarmsSchema = z.object({
  AlarmNames: z.array(z.string()).optional(),
  AlarmNamePrefix: z.string().optional(),
  StateValue: z.enum(['OK', 'ALARM', 'INSUFFICIENT_DATA']).optional(),
});

const putMetricDataSchema = z.object({
  Namespace: z.string().min(1),
  MetricData: z.array(
    z.object({
      MetricName: z.string().min(1),
      Dimensions: dimensionList,
      Timestamp: timestamp.optional(),
      Value: z.number().optional(),
      Values: z.array(z.number()).optional(),
      Counts: z.array(z.number()).optional(),
      Unit: z.string().optional(),
    }),
  ),
});

function parse<T extends z.ZodType>(schema: T, input: unknown): z.infer<T> {
  const parsed = schema.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  }
  return parsed.data;
}

function expression(id: string, text: string, returnData: boolean): MetricQuery {
  return compute(() => expressionQuery(id, text, returnData));
}

function compute<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof MathError ? invalid(error.message) : error;
  }
}

function invalid(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}

/** The JSON protocols carry times in seconds since 1970. */
function milliseconds(value: number | string | Date): number {
  return typeof value === 'number' ? value * 1000 : new Date(value).getTime();
}
