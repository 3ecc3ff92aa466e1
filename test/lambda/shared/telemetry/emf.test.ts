import { embeddedMetric, emitMetrics, MetricEmitter } from '../../../../lambda/shared/telemetry/emf';
import { DIMENSION_SETS, METRIC_NAMESPACE } from '../../../../lib/contract';

const record = {
  timestamp: 1_700_000_000_123.4,
  dimensions: { Agent: 'support', Lane: 'stable', Release: 'r-0123456789ab' },
  dimensionSets: DIMENSION_SETS,
  metrics: [{ name: 'TaskCost', value: 0.25, unit: 'None' }],
  properties: { task: 't-1' },
} as const;

test('a record names its metrics, its dimension sets and nothing else', () => {
  expect(JSON.parse(embeddedMetric(record))).toEqual({
    task: 't-1',
    Agent: 'support',
    Lane: 'stable',
    Release: 'r-0123456789ab',
    TaskCost: 0.25,
    _aws: {
      Timestamp: 1_700_000_000_123,
      CloudWatchMetrics: [
        {
          Namespace: METRIC_NAMESPACE,
          Dimensions: [['Agent'], ['Agent', 'Lane'], ['Agent', 'Release']],
          Metrics: [{ Name: 'TaskCost', Unit: 'None' }],
        },
      ],
    },
  });
});

test('a record goes out as one line', () => {
  const lines: string[] = [];
  emitMetrics({ ...record, properties: { task: 'a\nb' } }, (line) => lines.push(line));
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('\n');
});

test('refuses a dimension set whose dimension has no value', () => {
  const incomplete = { ...record, dimensions: { Agent: 'support', Lane: '' } };
  expect(() => embeddedMetric(incomplete)).toThrow('metric dimension Lane has no value');
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses %p as a value', (value) => {
  const metrics = [{ name: 'TaskCost', value, unit: 'None' }] as const;
  expect(() => embeddedMetric({ ...record, metrics })).toThrow(`metric TaskCost has the value ${value}`);
});

describe('an emitter', () => {
  const emitter = (lines: unknown[], dimensionSets?: readonly string[][]) =>
    new MetricEmitter({
      dimensions: { Agent: 'support' },
      dimensionSets,
      clock: { now: () => 5, sleep: async () => {} },
      sink: (line) => lines.push(JSON.parse(line)),
    });

  test('counts in one set with all its dimensions', () => {
    const lines: unknown[] = [];
    emitter(lines).withDimensions({ Lane: 'stable' }).count('ProbesSent');
    expect(lines).toMatchObject([
      {
        Agent: 'support',
        Lane: 'stable',
        ProbesSent: 1,
        _aws: { Timestamp: 5, CloudWatchMetrics: [{ Dimensions: [['Agent', 'Lane']] }] },
      },
    ]);
  });

  test('takes the given sets, and adds properties that are no dimension', () => {
    const lines: unknown[] = [];
    emitter(lines)
      .withDimensions({ Lane: 'stable' }, [['Agent'], ['Agent', 'Lane']])
      .emit([{ name: 'TaskCost', value: 2, unit: 'None' }], { task: 't-1' });
    expect(lines).toMatchObject([
      { task: 't-1', _aws: { CloudWatchMetrics: [{ Dimensions: [['Agent'], ['Agent', 'Lane']] }] } },
    ]);
  });

  test('writes no record without metrics', () => {
    const lines: unknown[] = [];
    emitter(lines).emit([]);
    expect(lines).toEqual([]);
  });
});
