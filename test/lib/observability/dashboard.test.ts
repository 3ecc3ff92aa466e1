import { Webhooks } from '../../../lib';
import { IntakeMetric, METRIC_NAMESPACE, TaskMetric, WebhookMetric, WorkerMetric } from '../../../lib/contract';
import { supportAgent } from '../../support/agent-service';
import { testStack } from '../../support/stack';
import { named, resourcesOf } from '../../support/template';

describe('dashboard', () => {
  const stack = testStack();
  const agent = supportAgent(stack, { agentName: 'support', webhooks: Webhooks.signed() });
  const resources = resourcesOf(stack);
  const body = JSON.stringify(resources[named(resources, 'SupportDashboard')]?.Properties?.DashboardBody);
  // The body is JSON in a join, in JSON again.
  const plain = body.replaceAll('\\\\\\"', '"').replaceAll('\\"', '"');

  test('shows every metric of tasks and workers, of both lanes and of the release, but for the derivable count of successes', () => {
    const all = [...Object.values(TaskMetric), ...Object.values(WorkerMetric)];
    const shown = all.filter((name) => name !== TaskMetric.SUCCEEDED);
    for (const name of shown) {
      expect(plain).toContain(`["${METRIC_NAMESPACE}","${name}","Agent","support","Lane","stable"`);
      expect(plain).toContain(`["${METRIC_NAMESPACE}","${name}","Agent","support","Lane","candidate"`);
      expect(plain).toContain(
        `["${METRIC_NAMESPACE}","${name}","Agent","support","Release","${agent.release.releaseId}"`,
      );
    }
  });

  test('shows intake, webhooks, queues, crashes and every alarm', () => {
    for (const name of [...Object.values(IntakeMetric), ...Object.values(WebhookMetric)]) {
      expect(plain).toContain(`["${METRIC_NAMESPACE}","${name}","Agent","support"`);
    }
    expect(plain).toContain('ApproximateAgeOfOldestMessage');
    expect(plain).toContain('"AWS/Lambda","Errors"');
    for (const id of Object.keys(resources).filter((key) => resources[key]?.Type === 'AWS::CloudWatch::Alarm')) {
      expect(plain).toContain(id);
    }
  });
});
