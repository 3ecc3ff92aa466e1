import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentService,
  Behavior,
  Evidence,
  InFlightTaskPolicy,
  ModelSpec,
  Rollout,
  TrafficShift,
  Webhooks,
  WorkerSpec,
} from 'cdk-agent-lanes';
import type { Construct } from 'constructs';
import { behaviorOf } from './behavior-of';

export interface ChaosStackProps extends StackProps {
  /** Put into the prompt: another variant is another release. */
  readonly variant: string;
}

const NEVER = Duration.days(14);

/**
 * An agent whose tasks must come to their ends whatever goes wrong around them. It has no gates and asks for no
 * evidence: how fast a machine gets through all that says nothing about a release.
 */
export class ChaosStack extends Stack {
  constructor(scope: Construct, id: string, props: ChaosStackProps) {
    super(scope, id, props);
    const key = new Secret(this, 'ProviderKey');
    new AgentService(this, 'Agent', {
      agentName: 'chaos',
      behavior: Behavior.fromDirectory(behaviorOf(props.variant), {
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 5 } }),
        limits: { maxDuration: Duration.minutes(5), maxToolCalls: 20 },
      }),
      worker: WorkerSpec.lambda({
        entry: join(__dirname, 'chaos-agent.ts'),
        timeout: Duration.minutes(1),
        // As many as a small machine can run at once.
        maxConcurrency: 24,
      }),
      // Tasks that wait for another attempt are old in the cloud's compressed time, and must not close the door.
      intake: { backpressure: { low: NEVER, normal: NEVER, high: NEVER } },
      secrets: { anthropic: key },
      // The drill receives them itself.
      webhooks: Webhooks.signed({ privateHosts: ['127.0.0.1'] }),
      removalPolicy: RemovalPolicy.DESTROY,
      rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 50, bakeTime: Duration.minutes(4) }), {
        evidence: Evidence.notRequired(
          'the number of tasks that finish under faults depends on the machine and proves nothing',
        ),
        preflightTimeout: Duration.minutes(14),
        onRollback: InFlightTaskPolicy.REQUEUE,
      }),
    });
  }
}
