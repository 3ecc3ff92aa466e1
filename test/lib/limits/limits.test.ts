import { Template } from 'aws-cdk-lib/assertions';
import { usedShareMetrics } from '../../../lambda/shared/budgets/spending';
import { MetricEmitter } from '../../../lambda/shared/telemetry/emf';
import { readWorkerSettings } from '../../../lambda/worker/settings';
import { AgentService, type AgentServiceProps, BudgetAction, Budgets, type RateLimit } from '../../../lib';
import { leastProps } from '../../support/agent-service';
import { deployedEnvironment } from '../../support/deployed-environment';
import { testStack } from '../../support/stack';
import { resourcesOf } from '../../support/template';

function synth(props: Partial<AgentServiceProps>) {
  const stack = testStack();
  const agent = new AgentService(stack, 'Support', { agentName: 'support', ...leastProps(stack), ...props });
  return { stack, agent, template: Template.fromStack(stack) };
}

/** Actions that a role of the template may do on partitions of the control table that begin so. */
function actionsOn(template: Template, partition: string): string[] {
  return Object.values(template.findResources('AWS::IAM::Policy')).flatMap(({ Properties }) =>
    (
      Properties.PolicyDocument.Statement as {
        readonly Action: string | string[];
        readonly Condition?: { readonly 'ForAllValues:StringLike'?: { readonly 'dynamodb:LeadingKeys'?: unknown } };
      }[]
    )
      .filter(({ Condition }) =>
        JSON.stringify(Condition?.['ForAllValues:StringLike']?.['dynamodb:LeadingKeys'] ?? '').includes(partition),
      )
      .flatMap(({ Action }) => Action),
  );
}

describe('rate limits', () => {
  const rateLimits = { anthropic: { requestsPerMinute: 600, tokensPerMinute: 90_000 } };

  test('reach the worker, with the right to keep count of them', () => {
    const { stack, template } = synth({ rateLimits });
    expect(readWorkerSettings(deployedEnvironment(resourcesOf(stack), 'SupportWorkerFunction')).rateLimits).toEqual(
      rateLimits,
    );
    expect(actionsOn(template, 'LIMIT#').sort()).toEqual(['dynamodb:GetItem', 'dynamodb:UpdateItem']);
  });

  test('are granted nothing where there are none', () => {
    expect(actionsOn(synth({}).template, 'LIMIT#')).toEqual([]);
  });

  test.each<readonly [string, Record<string, RateLimit>, RegExp]>([
    ['a provider that is not known', { acme: { requestsPerMinute: 1 } }, /UnsupportedProvider.*"acme".*anthropic/],
    [
      'a limit of nothing',
      { anthropic: { requestsPerMinute: 0 } },
      /InvalidRateLimit.*must be a number above 0, got 0/,
    ],
    ['a limit that is no number', { anthropic: { tokensPerMinute: Number.NaN } }, /InvalidRateLimit.*NaN/],
    ['an empty limit', { anthropic: {} }, /MissingRateLimit/],
  ])('refuses %s', (_, limits, message) => {
    expect(() => synth({ rateLimits: limits })).toThrow(message);
  });
});

describe('budgets', () => {
  test('reach worker and router, which may count and read them, and warn at 80 %', () => {
    const { agent, stack, template } = synth({ budgets: Budgets.perDay({ agent: 50, user: 2 }) });
    expect(readWorkerSettings(deployedEnvironment(resourcesOf(stack), 'SupportWorkerFunction')).budgets).toEqual({
      agentPerDay: 50,
      userPerDay: 2,
      onExceeded: 'refuse',
    });
    expect(actionsOn(template, 'BUDGET#').sort()).toEqual([
      'dynamodb:GetItem',
      'dynamodb:GetItem',
      'dynamodb:UpdateItem',
    ]);
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'AgentBudgetUsed',
      Dimensions: [{ Name: 'Agent', Value: 'support' }],
      Threshold: 80,
    });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'UserBudgetUsed',
      Dimensions: [{ Name: 'Agent', Value: 'support' }],
      Threshold: 80,
      Statistic: 'Maximum',
      TreatMissingData: 'notBreaching',
    });
    for (const alarm of [agent.budgetAlarm, agent.userBudgetAlarm]) {
      expect(alarm).toBeDefined();
    }
  });

  test('have an alarm each, on what the worker emits', () => {
    const { agent, template } = synth({ budgets: Budgets.perDay({ user: 2, onExceeded: BudgetAction.QUEUE }) });
    expect(agent.budgetAlarm).toBeUndefined();
    expect(agent.userBudgetAlarm).toBeDefined();
    expect(synth({ budgets: Budgets.perDay({ agent: 2 }) }).agent.userBudgetAlarm).toBeUndefined();
    const lines: string[] = [];
    const clock = { now: () => 0, sleep: async () => {} };
    new MetricEmitter({ dimensions: { Agent: 'support' }, clock, sink: (line) => lines.push(line) }).emit(
      usedShareMetrics({ agent: 1, user: 81 }),
    );
    const emitted = JSON.parse(lines[0] ?? '{}');
    const [alarm] = Object.values(
      template.findResources('AWS::CloudWatch::Alarm', { Properties: { MetricName: 'UserBudgetUsed' } }),
    );
    expect(emitted[alarm?.Properties.MetricName]).toBe(81);
    expect(emitted._aws.CloudWatchMetrics[0].Dimensions).toEqual([['Agent']]);
    expect(alarm?.Properties.AlarmActions).toHaveLength(1);
  });

  test.each([
    ['no budget', {}, /MissingBudget/],
    ['a budget of nothing', { agent: 0 }, /InvalidBudget.*agent, must be US dollars above 0, got 0/],
    [
      'an endless budget',
      { user: Number.POSITIVE_INFINITY },
      /InvalidBudget.*user, must be US dollars above 0, got Infinity/,
    ],
  ])('refuses %s', (_, budgets, message) => {
    expect(() => Budgets.perDay(budgets)).toThrow(message);
  });
});
