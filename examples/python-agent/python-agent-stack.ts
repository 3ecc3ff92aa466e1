import { join } from 'node:path';
import { CfnOutput, Duration, RemovalPolicy, Size, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentImage,
  AgentService,
  Behavior,
  Evidence,
  ModelSpec,
  QualityGate,
  Rollout,
  TrafficShift,
  WorkerSpec,
} from 'cdk-agent-lanes';
import type { Construct } from 'constructs';

export interface PythonAgentStackProps extends StackProps {
  /** What reading one source takes, in seconds: a setting of the agent's own, and so part of the release. @default 0.1 */
  readonly readSeconds?: number;
}

/** An agent in a container of its own, and the library's worker in a container beside it. */
export class PythonAgentStack extends Stack {
  readonly agent: AgentService;

  constructor(scope: Construct, id: string, props: PythonAgentStackProps = {}) {
    super(scope, id, props);
    const providerKey = new Secret(this, 'ProviderKey', { description: 'API key of the model provider' });
    Validations.of(providerKey).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'Keys of the provider are made in its console, so no function can rotate them; a person puts a new value',
    });
    new CfnOutput(this, 'ProviderKeyArn', { value: providerKey.secretArn });

    const bake = Duration.minutes(6);
    this.agent = new AgentService(this, 'Reports', {
      agentName: 'reports',
      behavior: Behavior.fromDirectory(join(__dirname, 'behavior'), {
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 5 } }),
        limits: { maxDuration: Duration.minutes(10), maxToolCalls: 20, maxCost: 0.25 },
      }),
      worker: WorkerSpec.fargate({
        image: AgentImage.asset(__dirname, { exclude: ['*', '!Dockerfile', '!agent.py'] }),
        environment: { READ_SECONDS: String(props.readSeconds ?? 0.1) },
        cpu: 256,
        memorySize: Size.mebibytes(512),
        concurrency: 4,
        scaling: { max: 4 },
      }),
      secrets: { anthropic: providerKey },
      removalPolicy: RemovalPolicy.DESTROY,
      rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 50, bakeTime: bake }), {
        evidence: Evidence.atLeast(10, { wait: Duration.minutes(2) }),
      }),
      gates: {
        errors: QualityGate.errorRate({ max: 0.2, period: bake, evaluationPeriods: 1, minSamples: 5 }),
        quality: QualityGate.qualityScore({ min: 0.7, period: bake, evaluationPeriods: 1, minSamples: 5 }),
      },
    });
  }
}
