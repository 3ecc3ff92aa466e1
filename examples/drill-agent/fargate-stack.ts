import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentService,
  type AgentServiceProps,
  Behavior,
  Evidence,
  InFlightTaskPolicy,
  ModelSpec,
  QualityGate,
  Rollout,
  TrafficShift,
  Webhooks,
  WorkerSpec,
} from 'cdk-agent-lanes';
import type { Construct } from 'constructs';
import { behaviorOf } from './behavior-of';

/**
 * What a drill on Fargate is about: `gates` runs the agent of the gates' drills, which follows the model's answer; `work` runs
 * the agent of the chaos drill, whose input says what it does and for how long, without gates or evidence.
 */
export type FargateDrill = 'gates' | 'work';

export interface FargateStackProps extends StackProps {
  /** Put into the prompt: another variant is another release. */
  readonly variant: string;
  readonly drill: FargateDrill;
  /** Tasks at once in each container. @default 2 */
  readonly concurrency?: number;
  /** Most workers of a lane. @default 6: as many as a small machine can run */
  readonly max?: number;
  /** Workers of the idle stable lane. @default 0 */
  readonly min?: number;
  /** Seconds from SIGTERM to the end of a container. @default 120 */
  readonly stopSeconds?: number;
  /** Seconds that a claim works at most. @default 600 */
  readonly timeoutSeconds?: number;
}

const NEVER = Duration.days(14);

/** The drills' agents in containers. */
export class FargateStack extends Stack {
  constructor(scope: Construct, id: string, props: FargateStackProps) {
    super(scope, id, props);
    const { drill, concurrency = 2, max = 6, min = 0, stopSeconds = 120, timeoutSeconds = 600 } = props;
    const key = new Secret(this, 'ProviderKey');
    new AgentService(this, 'Agent', {
      agentName: 'drill',
      behavior: Behavior.fromDirectory(behaviorOf(props.variant), {
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 0 } }),
        limits: { maxToolCalls: 20, maxDuration: Duration.hours(2) },
      }),
      worker: WorkerSpec.fargate({
        entry: join(__dirname, drill === 'gates' ? 'agent.ts' : 'chaos-agent.ts'),
        concurrency,
        timeout: Duration.seconds(timeoutSeconds),
        stopTimeout: Duration.seconds(stopSeconds),
        scaling: { min, max },
      }),
      secrets: { anthropic: key },
      removalPolicy: RemovalPolicy.DESTROY,
      // Tasks wait for the start of a worker, in the cloud's compressed time.
      intake: { backpressure: { low: NEVER, normal: NEVER, high: NEVER } },
      ...(drill === 'gates' ? GATED : UNGATED),
    });
  }
}

const SHIFT = TrafficShift.canary({ percentage: 50, bakeTime: Duration.minutes(4) });
const WINDOW = { period: Duration.minutes(1), evaluationPeriods: 2, datapointsToAlarm: 1, minSamples: 5 };

const GATED: Partial<AgentServiceProps> = {
  rollout: Rollout.codeDeploy(SHIFT, {
    evidence: Evidence.atLeast(20, { wait: Duration.minutes(1) }),
    preflightTimeout: Duration.minutes(14),
  }),
  gates: {
    errors: QualityGate.errorRate({ max: 0.2, ...WINDOW }),
    cost: QualityGate.cost({ maxIncrease: 0.2, ...WINDOW }),
    quality: QualityGate.qualityScore({ min: 0.7, ...WINDOW }),
  },
};

const UNGATED: Partial<AgentServiceProps> = {
  rollout: Rollout.codeDeploy(SHIFT, {
    evidence: Evidence.notRequired('how many tasks a machine gets through while workers come and go says nothing'),
    preflightTimeout: Duration.minutes(14),
    onRollback: InFlightTaskPolicy.REQUEUE,
  }),
  // The drill receives them itself.
  webhooks: Webhooks.signed({ privateHosts: ['127.0.0.1'] }),
};
