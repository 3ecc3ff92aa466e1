import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, type Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentService,
  type AgentServiceProps,
  Behavior,
  QualityGate,
  Rollout,
  TrafficShift,
  WorkerSpec,
} from '../../lib';
import { testModel } from './agent-folder';
import { temporaryFolder } from './stack';

/** A small agent that is kept in the repository, so that its imports are found. */
export const AGENT_FOLDER = join(__dirname, 'agent');
export const AGENT_ENTRY = join(AGENT_FOLDER, 'agent.ts');

const SECRET_ARN = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:provider-key-AbCdEf';

/** A copy of the small agent's behavior, to be changed. */
export function behaviorCopy(): string {
  const folder = temporaryFolder();
  for (const part of ['prompts', 'tools']) {
    cpSync(join(AGENT_FOLDER, part), join(folder, part), { recursive: true });
  }
  return folder;
}

/** The least that an agent needs. */
export function leastProps(stack: Stack, behavior = AGENT_FOLDER): AgentServiceProps {
  return {
    behavior: Behavior.fromDirectory(behavior, { model: testModel() }),
    worker: WorkerSpec.lambda({ entry: AGENT_ENTRY }),
    secrets: { anthropic: Secret.fromSecretCompleteArn(stack, 'ProviderKey', SECRET_ARN) },
  };
}

/** An agent with everything that is usual: a canary of ten minutes and the five gates. */
export function supportAgent(
  stack: Stack,
  props: Partial<AgentServiceProps> = {},
  behavior: string = AGENT_FOLDER,
): AgentService {
  return new AgentService(stack, 'Support', {
    ...leastProps(stack, behavior),
    rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 10, bakeTime: Duration.minutes(10) })),
    gates: {
      cost: QualityGate.cost(),
      latency: QualityGate.latency({ p99: Duration.seconds(30) }),
      errors: QualityGate.errorRate(),
      toolCalls: QualityGate.toolCalls(),
      quality: QualityGate.qualityScore({ min: 0.7 }),
    },
    ...props,
  });
}
