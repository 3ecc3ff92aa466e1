import { join } from 'node:path';
import { CfnOutput, Duration, Size, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentService,
  Behavior,
  Evidence,
  FargateCapacity,
  ModelSpec,
  QualityGate,
  Rollout,
  TrafficShift,
  WorkerSpec,
} from 'cdk-agent-lanes';
import type { Construct } from 'constructs';

export interface FargateAgentStackProps extends StackProps {
  /**
   * Folder of examples/support-agent that holds the behavior: `prompts/`, `tools/`.
   *
   * @default agent
   */
  readonly behavior?: string;
}

/** The code and the behaviors are the support agent's: what an agent does is the same wherever it runs. */
const SUPPORT_AGENT = join(__dirname, '..', 'support-agent');

/** The support agent in containers, from none to ten and back, with many tasks at once in each. */
export class FargateAgentStack extends Stack {
  readonly agent: AgentService;

  constructor(scope: Construct, id: string, props: FargateAgentStackProps = {}) {
    super(scope, id, props);
    const providerKey = new Secret(this, 'ProviderKey', { description: 'API key of the model provider' });
    Validations.of(providerKey).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'Keys of the provider are made in its console, so no function can rotate them; a person puts a new value',
    });
    new CfnOutput(this, 'ProviderKeyArn', { value: providerKey.secretArn });

    const bake = Duration.minutes(10);
    const window = { period: bake, evaluationPeriods: 1, minSamples: 20 };
    this.agent = new AgentService(this, 'Support', {
      agentName: 'support-on-fargate',
      behavior: Behavior.fromDirectory(join(SUPPORT_AGENT, props.behavior ?? 'agent'), {
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 5 } }),
        limits: { maxDuration: Duration.minutes(2), maxToolCalls: 10, maxModelCalls: 10, maxCost: 0.25 },
      }),
      worker: WorkerSpec.fargate({
        entry: join(SUPPORT_AGENT, 'agent', 'agent.ts'),
        // It waits for its model nearly all of the time: half a vCPU is enough for twenty tasks.
        cpu: 512,
        memorySize: Size.gibibytes(1),
        concurrency: 20,
        timeout: Duration.minutes(10),
        // Two workers on demand, and Spot beyond: no task here has a step longer than two minutes.
        capacity: FargateCapacity.mix({ onDemandBase: 2, onDemandWeight: 0, spotWeight: 1 }),
        scaling: { max: 10, scaleInAfter: Duration.minutes(5) },
      }),
      secrets: { anthropic: providerKey },
      rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 10, bakeTime: bake }), {
        evidence: Evidence.atLeast(20, { wait: Duration.minutes(2) }),
      }),
      gates: {
        cost: QualityGate.cost({ maxIncrease: 0.2, ...window }),
        errors: QualityGate.errorRate({ max: 0.05, ...window }),
        quality: QualityGate.qualityScore({ min: 0.7, ...window }),
      },
    });
  }
}
