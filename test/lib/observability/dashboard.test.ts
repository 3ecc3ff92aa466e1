import { Webhooks, WorkerSpec } from '../../../lib';
import { IntakeMetric, METRIC_NAMESPACE, TaskMetric, WebhookMetric, WorkerMetric } from '../../../lib/contract';
import { AGENT_ENTRY, supportAgent } from '../../support/agent-service';
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

describe('dashboard of a worker in containers', () => {
  const stack = testStack();
  supportAgent(stack, { agentName: 'support', worker: WorkerSpec.fargate({ entry: AGENT_ENTRY }) });
  const resources = resourcesOf(stack);
  const body = JSON.stringify(resources[named(resources, 'SupportDashboard')]?.Properties?.DashboardBody);
  const plain = body.replaceAll('\\\\\\"', '"').replaceAll('\\"', '"');

  test('shows how many run, what each is there for, and what waits, of both lanes', () => {
    for (const lane of ['stable', 'candidate']) {
      expect(plain).toContain(`"expression":"FILL(FILL(${lane}Samples, REPEAT), 0)"`);
      expect(plain).toContain(`"expression":"${lane}Load / ${lane}Running"`);
      expect(plain).toContain(`"${lane} lane, new in the minute"`);
    }
    for (const metric of ['CPUUtilization', 'MemoryUtilization']) {
      expect(plain).toContain(`"AWS/ECS","${metric}"`);
    }
  });

  test('counts as crashes the attempts that were abandoned, and looks at no function for them', () => {
    expect(plain).toContain(
      `["${METRIC_NAMESPACE}","${WorkerMetric.ABANDONED}","Agent","support",{"label":"worker crashes"`,
    );
    expect(plain).not.toContain('"AWS/Lambda","Errors"');
  });
});
