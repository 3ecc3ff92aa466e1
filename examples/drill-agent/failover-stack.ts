import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AgentService, Behavior, ModelSpec, Rollout, TrafficShift, WorkerSpec } from 'cdk-agent-lanes';
import type { Construct } from 'constructs';
import { behaviorOf } from './behavior-of';

export interface FailoverStackProps extends StackProps {
  /** Put into the prompt: another variant is another release. */
  readonly variant: string;
}

/** An agent whose model may be away: two more, of other providers, stand behind it. */
export class FailoverStack extends Stack {
  constructor(scope: Construct, id: string, props: FailoverStackProps) {
    super(scope, id, props);
    const price = { inputPerMillion: 1, outputPerMillion: 0 };
    new AgentService(this, 'Agent', {
      agentName: 'drill',
      behavior: Behavior.fromDirectory(behaviorOf(props.variant), {
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price }),
        fallbacks: [
          ModelSpec.openAi('gpt-5-mini-2025-08-07', { price }),
          ModelSpec.bedrock('us.anthropic.claude-haiku-4-5-20251001-v1:0', { price }),
        ],
        modelPolicy: { backoffFirst: Duration.millis(100), breakerFailures: 3, breakerOpen: Duration.minutes(3) },
        limits: { maxDuration: Duration.seconds(30), maxToolCalls: 20 },
      }),
      worker: WorkerSpec.lambda({ entry: join(__dirname, 'agent.ts'), timeout: Duration.minutes(1) }),
      secrets: {
        anthropic: new Secret(this, 'AnthropicKey'),
        openai: new Secret(this, 'OpenAiKey'),
      },
      removalPolicy: RemovalPolicy.DESTROY,
      rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 50, bakeTime: Duration.minutes(4) })),
    });
  }
}
