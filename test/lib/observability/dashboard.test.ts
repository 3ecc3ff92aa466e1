import { Duration } from 'aws-cdk-lib';
import { LaneName, TaskMetrics } from '../../../lib';
import { IntakeMetric, METRIC_NAMESPACE, TaskMetric } from '../../../lib/contract';
import { supportAgent } from '../../support/agent-service';
import { testStack } from '../../support/stack';
import { named, resourcesOf } from '../../support/template';

describe('dashboard', () => {
  const stack = testStack();
  const agent = supportAgent(stack, { agentName: 'support' });
  const resources = resourcesOf(stack);
  const body = JSON.stringify(resources[named(resources, 'SupportDashboard')]?.Properties?.DashboardBody);
  // The body is JSON in a join, in JSON again.
  const plain = body.replaceAll('\\\\\\"', '"').replaceAll('\\"', '"');

  test('shows every task metric of both lanes and of the release, but for the derivable count of successes', () => {
    const shown = Object.values(TaskMetric).filter((name) => name !== TaskMetric.SUCCEEDED);
    for (const name of shown) {
      expect(plain).toContain(`["${METRIC_NAMESPACE}","${name}","Agent","support","Lane","stable"`);
      expect(plain).toContain(`["${METRIC_NAMESPACE}","${name}","Agent","support","Lane","candidate"`);
      expect(plain).toContain(
        `["${METRIC_NAMESPACE}","${name}","Agent","support","Release","${agent.release.releaseId}"`,
      );
    }
  });

  test('shows intake, queues, crashes and every alarm', () => {
    expect(plain).toContain(IntakeMetric.ACCEPTED);
    expect(plain).toContain(IntakeMetric.REFUSED);
    expect(plain).toContain('ApproximateAgeOfOldestMessage');
    expect(plain).toContain('"AWS/Lambda","Errors"');
    for (const id of Object.keys(resources).filter((key) => resources[key]?.Type === 'AWS::CloudWatch::Alarm')) {
      expect(plain).toContain(id);
    }
  });
});

describe('metric helpers', () => {
  test('of the agent, a lane and a release have the dimensions of the contract', () => {
    const dimensions = (metrics: TaskMetrics) => metrics.finished().dimensions;
    expect(dimensions(TaskMetrics.ofAgent('a'))).toEqual({ Agent: 'a' });
    expect(dimensions(TaskMetrics.ofLane('a', LaneName.STABLE))).toEqual({ Agent: 'a', Lane: 'stable' });
    expect(dimensions(TaskMetrics.ofRelease('a', 'r-0'))).toEqual({ Agent: 'a', Release: 'r-0' });
  });

  test('there is one for every task metric', () => {
    const metrics = TaskMetrics.ofAgent('a');
    const all = [
      metrics.finished(),
      metrics.succeeded(),
      metrics.failed(),
      metrics.duration(),
      metrics.queueWait(),
      metrics.cost(),
      metrics.toolCalls(),
      metrics.inputTokens(),
      metrics.outputTokens(),
      metrics.qualityScore(),
    ];
    expect(all.map(({ metricName }) => metricName).sort()).toEqual(Object.values(TaskMetric).sort());
    expect(new Set(all.map(({ namespace }) => namespace))).toEqual(new Set([METRIC_NAMESPACE]));
  });

  test('take the options of the CDK', () => {
    const metric = TaskMetrics.ofAgent('a').duration({ statistic: 'p50', period: Duration.minutes(1) });
    expect(metric.statistic).toBe('p50');
    expect(metric.period.toMinutes()).toBe(1);
  });
});
