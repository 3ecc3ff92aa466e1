import { readEmbeddedLine } from '../../../rehearsal/services/cloudwatch/embedded-metrics';

function line(over: Record<string, unknown> = {}): string {
  return JSON.stringify({
    _aws: {
      Timestamp: 1_893_456_000_000,
      CloudWatchMetrics: [
        {
          Namespace: 'AgentLanes',
          Dimensions: [['Agent'], ['Agent', 'Lane']],
          Metrics: [{ Name: 'TaskCost' }, { Name: 'TaskDuration', Unit: 'Milliseconds' }],
        },
      ],
    },
    Agent: 'support',
    Lane: 'stable',
    TaskCost: 0.25,
    TaskDuration: [10, 20],
    ...over,
  });
}

test('takes every metric in every dimension set', () => {
  expect(readEmbeddedLine(line())).toEqual({
    kind: 'metrics',
    timestamp: 1_893_456_000_000,
    metrics: [
      { namespace: 'AgentLanes', name: 'TaskCost', dimensions: { Agent: 'support' }, values: [0.25], unit: undefined },
      {
        namespace: 'AgentLanes',
        name: 'TaskDuration',
        dimensions: { Agent: 'support' },
        values: [10, 20],
        unit: 'Milliseconds',
      },
      {
        namespace: 'AgentLanes',
        name: 'TaskCost',
        dimensions: { Agent: 'support', Lane: 'stable' },
        values: [0.25],
        unit: undefined,
      },
      {
        namespace: 'AgentLanes',
        name: 'TaskDuration',
        dimensions: { Agent: 'support', Lane: 'stable' },
        values: [10, 20],
        unit: 'Milliseconds',
      },
    ],
  });
});

test.each(['START RequestId: 1', '{"level":"INFO"}', '{"_aws":', 'text about "_aws" in a log'])(
  'leaves other lines alone: %s',
  (text) => {
    // A line that starts like JSON and mentions the member is not "other".
    expect(readEmbeddedLine(text).kind).toBe(text === '{"_aws":' ? 'malformed' : 'other');
  },
);

test.each([
  ['a dimension without a value', { Lane: undefined }, 'dimension Lane'],
  ['a dimension that is no text', { Lane: 5 }, 'dimension Lane'],
  ['a metric without a value', { TaskCost: undefined }, 'metric TaskCost'],
  ['a metric that is no number', { TaskCost: '0.25' }, 'metric TaskCost'],
  ['more than 100 values', { TaskCost: Array.from({ length: 101 }, () => 1) }, 'metric TaskCost'],
  ['metadata that is none', { _aws: { CloudWatchMetrics: 'x' } }, '_aws.CloudWatchMetrics'],
])('refuses %s', (_name, over, reason) => {
  const read = readEmbeddedLine(line(over));
  expect(read).toMatchObject({ kind: 'malformed' });
  expect(read.kind === 'malformed' && read.reason).toContain(reason);
});
