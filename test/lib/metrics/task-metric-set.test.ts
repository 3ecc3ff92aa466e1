import { Duration } from 'aws-cdk-lib';
import { AgentLane, TaskMetricSet } from '../../../lib';
import { METRIC_NAMESPACE, TaskMetric, WorkerMetric } from '../../../lib/contract';

describe('metric helpers', () => {
  test('of the agent, a lane and a release have the dimensions of the contract', () => {
    const dimensions = (metrics: TaskMetricSet) => metrics.metricTasksFinished().dimensions;
    expect(dimensions(TaskMetricSet.ofAgent('a'))).toEqual({ Agent: 'a' });
    expect(dimensions(TaskMetricSet.ofLane('a', AgentLane.STABLE))).toEqual({ Agent: 'a', Lane: 'stable' });
    expect(dimensions(TaskMetricSet.ofRelease('a', 'r-0'))).toEqual({ Agent: 'a', Release: 'r-0' });
  });

  test('there is one for every metric of tasks and workers', () => {
    const metrics = TaskMetricSet.ofAgent('a');
    const all = [
      metrics.metricTasksFinished(),
      metrics.metricTasksSucceeded(),
      metrics.metricTasksFailed(),
      metrics.metricTasksAborted(),
      metrics.metricDuration(),
      metrics.metricQueueWait(),
      metrics.metricCost(),
      metrics.metricToolCalls(),
      metrics.metricInputTokens(),
      metrics.metricOutputTokens(),
      metrics.metricQualityScore(),
      metrics.metricRetries(),
      metrics.metricLateResults(),
      metrics.metricTasksRequeued(),
      metrics.metricTasksExhausted(),
      metrics.metricStepsReplayed(),
      metrics.metricAttemptsAbandoned(),
    ];
    expect(all.map(({ metricName }) => metricName).sort()).toEqual(
      [...Object.values(TaskMetric), ...Object.values(WorkerMetric)].sort(),
    );
    expect(new Set(all.map(({ namespace }) => namespace))).toEqual(new Set([METRIC_NAMESPACE]));
  });

  test('take the options of the CDK', () => {
    const metric = TaskMetricSet.ofAgent('a').metricDuration({ statistic: 'p50', period: Duration.minutes(1) });
    expect(metric.statistic).toBe('p50');
    expect(metric.period.toMinutes()).toBe(1);
  });
});
