import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentService,
  ApiKeyCheck,
  ApiKeyRotation,
  Behavior,
  ModelSpec,
  Rollout,
  RotatingSecret,
  TrafficShift,
  WorkerSpec,
} from 'cdk-agent-lanes';
import type { Construct } from 'constructs';
import { behaviorOf } from './behavior-of';

export interface RotationStackProps extends StackProps {
  /** Put into the prompt: another variant is another release. */
  readonly variant: string;
}

const AGENT = 'drill';

/** An agent whose keys rotate: one from a pool that people fill, one from service accounts of its own. */
export class RotationStack extends Stack {
  constructor(scope: Construct, id: string, props: RotationStackProps) {
    super(scope, id, props);
    const common = { agentName: AGENT, every: Duration.days(1), gracePeriod: Duration.minutes(10) };
    const providerKey = new RotatingSecret(this, 'ProviderKey', {
      ...common,
      secretName: 'anthropic',
      rotation: ApiKeyRotation.keyPool({ poolSecret: new Secret(this, 'KeyPool'), check: ApiKeyCheck.anthropic() }),
    });
    const openAiKey = new RotatingSecret(this, 'OpenAiKey', {
      ...common,
      secretName: 'openai',
      rotation: ApiKeyRotation.openAiServiceAccount({
        adminSecret: new Secret(this, 'AdminKey'),
        project: 'proj_drill',
      }),
    });
    new AgentService(this, 'Agent', {
      agentName: AGENT,
      behavior: Behavior.fromDirectory(behaviorOf(props.variant), {
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 0 } }),
        limits: { maxDuration: Duration.seconds(30), maxToolCalls: 20 },
      }),
      worker: WorkerSpec.lambda({ entry: join(__dirname, 'agent.ts'), timeout: Duration.minutes(1) }),
      secrets: { anthropic: providerKey.secret, openai: openAiKey.secret },
      removalPolicy: RemovalPolicy.DESTROY,
      rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 50, bakeTime: Duration.minutes(4) })),
    });
  }
}
