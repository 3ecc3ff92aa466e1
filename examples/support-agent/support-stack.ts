import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CfnOutput, Duration, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentService,
  Behavior,
  Evidence,
  ModelSpec,
  QualityGate,
  Rollout,
  TrafficShift,
  Webhooks,
  WorkerSpec,
} from 'cdk-agent-lanes';
import type { Construct } from 'constructs';

export interface SupportStackProps extends StackProps {
  /**
   * Folder beside this file that holds the behavior: `prompts/`, `tools/`, and `agent.ts` unless it shares the code of
   * `agent/`.
   *
   * @default agent
   */
  readonly behavior?: string;
}

/** An agent that answers customers' questions from a small knowledge base. */
export class SupportStack extends Stack {
  readonly agent: AgentService;

  constructor(scope: Construct, id: string, props: SupportStackProps = {}) {
    super(scope, id, props);

    // The stack creates the secret with a random value; a person puts the provider's key into it once:
    // aws secretsmanager put-secret-value --secret-id <output ProviderKey> --secret-string <key>
    const providerKey = new Secret(this, 'ProviderKey', { description: 'API key of the model provider' });
    Validations.of(providerKey).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'Keys of the provider are made in its console, so no function can rotate them; a person puts a new value',
    });
    new CfnOutput(this, 'ProviderKeyArn', { value: providerKey.secretArn });

    const behavior = behaviorFolder(props.behavior ?? 'agent');
    const own = join(behavior, 'agent.ts');
    // One window as long as the canary, looked at every minute: it judges all that one user in ten has seen so far.
    const bake = Duration.minutes(10);
    const window = { period: bake, evaluationPeriods: 1, minSamples: 20 };
    this.agent = new AgentService(this, 'Support', {
      agentName: 'support',
      behavior: Behavior.fromDirectory(behavior, {
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 5 } }),
        limits: { maxDuration: Duration.minutes(2), maxToolCalls: 10, maxModelCalls: 10, maxCost: 0.25 },
        stateSchema: 1,
      }),
      worker: WorkerSpec.lambda({
        entry: existsSync(own) ? own : join(__dirname, 'agent', 'agent.ts'),
        timeout: Duration.minutes(3),
      }),
      secrets: { anthropic: providerKey },
      // Backends that would rather not poll name a URL with their task; see docs/webhooks.md.
      webhooks: Webhooks.signed(),
      rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 10, bakeTime: bake }), {
        evidence: Evidence.atLeast(20, { wait: Duration.minutes(2) }),
      }),
      gates: {
        cost: QualityGate.cost({ maxIncrease: 0.2, ...window }),
        latency: QualityGate.latency({ p99: Duration.seconds(30), ...window }),
        errors: QualityGate.errorRate({ max: 0.05, ...window }),
        toolCalls: QualityGate.toolCalls({ maxIncrease: 0.5, ...window }),
        quality: QualityGate.qualityScore({ min: 0.7, ...window }),
      },
    });
  }
}

function behaviorFolder(name: string): string {
  const folder = join(__dirname, name);
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name) || !existsSync(folder)) {
    throw new Error(
      `context 'behavior' is '${name}', expected the name of a folder in ${__dirname}; leave it out for 'agent'`,
    );
  }
  return folder;
}
