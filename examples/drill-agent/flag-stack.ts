import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentService,
  Behavior,
  CapabilityFlag,
  FlagDeploymentStrategy,
  ModelSpec,
  QualityGate,
  WorkerSpec,
} from 'cdk-agent-lanes';
import type { Construct } from 'constructs';
import { behaviorOf } from './behavior-of';

export interface FlagStackProps extends StackProps {
  /** Put into the prompt: another variant is another release. */
  readonly variant: string;
  /** Share of the users for whom the agent works carefully. */
  readonly carefulPercent: number;
}

/** An agent with a flag, and a gate on the tasks that met it. */
export class FlagStack extends Stack {
  constructor(scope: Construct, id: string, props: FlagStackProps) {
    super(scope, id, props);
    const key = new Secret(this, 'ProviderKey');
    new AgentService(this, 'Agent', {
      agentName: 'flagged',
      behavior: Behavior.fromDirectory(behaviorOf(props.variant), {
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 0 } }),
        limits: { maxDuration: Duration.seconds(30), maxToolCalls: 20 },
      }),
      worker: WorkerSpec.lambda({ entry: join(__dirname, 'flag-agent.ts'), timeout: Duration.minutes(1) }),
      secrets: { anthropic: key },
      removalPolicy: RemovalPolicy.DESTROY,
      flags: {
        careful: CapabilityFlag.boolean({
          percentage: props.carefulPercent,
          gates: {
            // A slow machine does a few tasks a second, a fifth of them with the flag: long enough to see three of these.
            errors: QualityGate.errorRate({
              max: 0.2,
              period: Duration.minutes(5),
              evaluationPeriods: 1,
              datapointsToAlarm: 1,
              minSamples: 3,
            }),
          },
        }),
      },
      flagDeployment: FlagDeploymentStrategy.linear({
        percentage: 50,
        deploymentDuration: Duration.minutes(2),
        bakeTime: Duration.minutes(12),
      }),
    });
  }
}
