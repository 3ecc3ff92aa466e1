import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { ComparisonOperator, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentService,
  Behavior,
  Evidence,
  ModelSpec,
  QualityGate,
  Rollout,
  TaskMetricSet,
  TrafficShift,
  WorkerSpec,
} from 'cdk-agent-lanes';
import type { Construct } from 'constructs';
import { behaviorOf } from './behavior-of';

export interface DrillStackProps extends StackProps {
  /** Put into the prompt: another variant is another release. */
  readonly variant: string;
  /** Setting of the agent in the worker's environment. @default the agent's own default */
  readonly maxLines?: string;
}

const AGENT = 'drill';

/** An agent with every gate, each looking at single minutes: drills are to be short. */
export class DrillStack extends Stack {
  constructor(scope: Construct, id: string, props: DrillStackProps) {
    super(scope, id, props);
    const key = new Secret(this, 'ProviderKey');
    const window = { period: Duration.minutes(1), evaluationPeriods: 2, datapointsToAlarm: 1, minSamples: 5 };
    new AgentService(this, 'Agent', {
      agentName: AGENT,
      behavior: Behavior.fromDirectory(behaviorOf(props.variant), {
        // Answers cost nothing here, so that a long one trips the gate on its length and no other.
        model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 0 } }),
        limits: { maxDuration: Duration.seconds(30), maxToolCalls: 20 },
      }),
      worker: WorkerSpec.lambda({
        entry: join(__dirname, 'agent.ts'),
        timeout: Duration.minutes(1),
        ...(props.maxLines === undefined ? {} : { environment: { MAX_LINES: props.maxLines } }),
      }),
      secrets: { anthropic: key },
      removalPolicy: RemovalPolicy.DESTROY,
      rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 50, bakeTime: Duration.minutes(4) }), {
        evidence: Evidence.atLeast(20, { wait: Duration.minutes(1) }),
        preflightTimeout: Duration.minutes(10),
      }),
      gates: {
        cost: QualityGate.cost({ maxIncrease: 0.2, ...window }),
        latency: QualityGate.latency({ p99: Duration.seconds(4), ...window }),
        errors: QualityGate.errorRate({ max: 0.2, ...window }),
        toolCalls: QualityGate.toolCalls({ maxIncrease: 0.5, ...window }),
        quality: QualityGate.qualityScore({ min: 0.7, ...window }),
        answerLength: QualityGate.custom({
          metric: TaskMetricSet.ofAgent(AGENT).metricOutputTokens({ period: window.period, statistic: Stats.p(99) }),
          comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
          threshold: 100,
          description: 'p99 of the length of an answer (tokens); a model that rambles',
          evaluationPeriods: window.evaluationPeriods,
          datapointsToAlarm: window.datapointsToAlarm,
        }),
      },
    });
  }
}
