import { Duration } from 'aws-cdk-lib';
import { AgentLane, TaskMetrics } from '../../../lib';
import { METRIC_NAMESPACE, TaskMetric, WorkerMetric } from '../../../lib/contract';

describe('metric helpers', () => {
  test('of the agent, a lane and a release have the dimensions of the contract', () => {
    const dimensions = (metrics: TaskMetrics) => metrics.finished().dimensions;
    expect(dimensions(TaskMetrics.ofAgent('a'))).toEqual({ Agent: 'a' });
    expect(dimensions(TaskMetrics.ofLane('a', AgentLane.STABLE))).toEqual({ Agent: 'a', Lane: 'stable' });
    expect(dimensions(TaskMetrics.ofRelease('a', 'r-0'))).toEqual({ Agent: 'a', Release: 'r-0' });
  });

  test('there is one for every metric of tasks and workers', () => {
    const metrics = TaskMetrics.ofAgent('a');
    const all = [
      metrics.finished(),
      metrics.succeeded(),
      metrics.failed(),
      metrics.aborted(),
      metrics.duration(),
      metrics.queueWait(),
      metrics.cost(),
      metrics.toolCalls(),
      metrics.inputTokens(),
      metrics.outputTokens(),
      metrics.qualityScore(),
      metrics.retries(),
      metrics.lateResults(),
      metrics.requeued(),
      metrics.exhausted(),
      metrics.replayedSteps(),
      metrics.abandoned(),
    ];
    expect(all.map(({ metricName }) => metricName).sort()).toEqual(
      [...Object.values(TaskMetric), ...Object.values(WorkerMetric)].sort(),
    );
    expect(new Set(all.map(({ namespace }) => namespace))).toEqual(new Set([METRIC_NAMESPACE]));
  });

  test('take the options of the CDK', () => {
    const metric = TaskMetrics.ofAgent('a').duration({ statistic: 'p50', period: Duration.minutes(1) });
    expect(metric.statistic).toBe('p50');
    expect(metric.period.toMinutes()).toBe(1);
  });
});
