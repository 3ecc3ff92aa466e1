import type { Duration } from 'aws-cdk-lib';
import type { LambdaDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import type { IDependable } from 'constructs';
import type { QualityGates } from '../gates';
import type { Intake } from '../intake';
import type { ILane } from '../lanes';
import type { Release } from '../release';
import type { IAgentStore } from '../state';
import type { AgentWorker } from '../worker';
import type { Evidence } from './evidence';

/** What happens to the tasks that a release is running when its rollout is rolled back. */
export enum InFlightTaskPolicy {
  /** They finish on the release that they started on. */
  FINISH = 'finish',
  /**
   * Their workers requeue them at the next heartbeat, and the stable lane continues them: finished steps are kept wherever
   * the steps of both releases have the same names. For a release that does harm as long as it runs.
   */
  REQUEUE = 'requeue',
}

/** Options of {@link Rollout.codeDeploy}, besides the traffic shift. */
export interface CodeDeployRolloutOptions {
  /**
   * How long the preflight waits for its probe task to finish on the candidate lane, including the start of a worker:
   * whole seconds, at most 14 minutes 30 seconds, for the preflight is a Lambda function
   * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
   *
   * @default - 2 minutes plus the start time of the worker (`AgentWorker.startTimeout`)
   */
  readonly preflightTimeout?: Duration;

  /**
   * Tasks that a release must have finished before it is promoted.
   *
   * @default Evidence.atLeast(20)
   */
  readonly evidence?: Evidence;

  /**
   * What happens to the tasks that the release is running when its rollout is rolled back.
   *
   * @default InFlightTaskPolicy.FINISH
   */
  readonly onRollback?: InFlightTaskPolicy;

  /**
   * Deploys although a gate is in ALARM, and says why: CodeDeploy fails a deployment at once if an alarm is in ALARM when
   * it starts, which also stops the release that fixes the cause. The gates remain alarms, but the deployment ignores
   * them. Meant for one deployment: the context value `cdk-agent-lanes:ignoreGates` does the same from the command line
   * (`cdk deploy -c cdk-agent-lanes:ignoreGates="fixes the loop in r-…"`).
   *
   * @default - critical gates stop the rollout
   */
  readonly ignoreGates?: string;
}

/** The parts of an agent that a rollout puts into order. */
export interface RolloutContext {
  /** Name of the agent, and value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Release in the template. */
  readonly release: Release;
  /** Worker that the rollout attaches to the lanes. */
  readonly worker: AgentWorker;
  /** Tables and bucket of the agent. */
  readonly store: IAgentStore;
  /** Lane of the promoted release. */
  readonly stable: ILane;
  /** Lane of the release that is rolled out. */
  readonly candidate: ILane;
  /** Intake whose router alias is shifted. */
  readonly intake: Intake;
  /** Gates that can stop the rollout. */
  readonly gates: QualityGates;
}

/** A rollout in a stack. */
export interface RolloutConfig {
  /** Shifts the users. */
  readonly deploymentGroup: LambdaDeploymentGroup;
  /** Longest time from the preflight to the end of the evidence check. */
  readonly duration: Duration;
  /** Depend on this to come after the promotion. */
  readonly promoted: IDependable;
}
