import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AgentService, Behavior, Budgets, ModelSpec, Rollout, TrafficShift, WorkerSpec } from 'cdk-agent-lanes';
import type { Construct } from 'constructs';
import { behaviorOf } from './behavior-of';

export interface LimitStackProps extends StackProps {
  /** Put into the prompt: another variant is another release. */
  readonly variant: string;
  /** @default - not limited */
  readonly requestsPerMinute?: number;
  /** US dollars for all tasks of a day. @default - no budget */
  readonly agentPerDay?: number;
}

/** An agent that keeps to a limit of its provider, or to a budget. */
export class LimitStack extends Stack {
  constructor(scope: Construct, id: string, props: LimitStackProps) {
    super(scope, id, props);
    const { requestsPerMinute, agentPerDay } = props;
    const key = new Secret(this, 'ProviderKey');
    new AgentService(this, 'Agent', {
      agentName: 'drill',
      behavior: Behavior.fromDirectory(behaviorOf(props.variant), {
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 0 } }),
        limits: { maxDuration: Duration.seconds(30), maxToolCalls: 20 },
      }),
      // Eight workers on the queue of normal priority.
      worker: WorkerSpec.lambda({
        entry: join(__dirname, 'agent.ts'),
        timeout: Duration.minutes(1),
        maxConcurrency: 12,
        priorityShares: { high: 1 / 6, normal: 2 / 3, low: 1 / 6 },
      }),
      secrets: { anthropic: key },
      removalPolicy: RemovalPolicy.DESTROY,
      rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 50, bakeTime: Duration.minutes(4) })),
      ...(requestsPerMinute === undefined ? {} : { rateLimits: { anthropic: { requestsPerMinute } } }),
      ...(agentPerDay === undefined ? {} : { budgets: Budgets.perDay({ agent: agentPerDay }) }),
    });
  }
}
