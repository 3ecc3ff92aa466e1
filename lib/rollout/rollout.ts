import type { Duration } from 'aws-cdk-lib';
import type { LambdaDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import type { Construct, IDependable } from 'constructs';
import type { QualityGates } from '../gates/quality-gates';
import type { Intake } from '../intake/intake';
import type { Lane } from '../lanes/lane';
import type { Release } from '../release';
import type { AgentStore } from '../state';
import type { AgentWorker } from '../worker';
import { CodeDeployRollout, type CodeDeployRolloutOptions } from './code-deploy-rollout';
import type { TrafficShift } from './traffic-shift';

/** The parts of an agent that a rollout puts into order. */
export interface RolloutContext {
  readonly agentName: string;
  readonly release: Release;
  readonly worker: AgentWorker;
  readonly store: AgentStore;
  readonly stable: Lane;
  readonly candidate: Lane;
  readonly intake: Intake;
  readonly gates: QualityGates;
}

/** A rollout in a stack. */
export interface RolloutConfig {
  /** What shifts the users. */
  readonly deploymentGroup: LambdaDeploymentGroup;
  /** Longest time from the preflight to the end of the evidence check. */
  readonly duration: Duration;
  /** Depend on this to come after the promotion. */
  readonly promoted: IDependable;
}

/** How a new release gets from the template to the users. */
export abstract class Rollout {
  /**
   * Inside one `cdk deploy`: the candidate lane gets the release, CodeDeploy moves users to it while the gates watch,
   * then the stable lane follows. Whatever fails on the way puts everything back.
   *
   * The first deployment of a stack shifts nothing: there is nobody to protect yet, and CodeDeploy acts on updates only.
   */
  static codeDeploy(shift: TrafficShift, props: CodeDeployRolloutOptions = {}): Rollout {
    return new CodeDeploy(shift, props);
  }

  /**
   * Attaches the lanes to the worker and creates whatever carries the rollout, in the order that the rollout needs.
   *
   * @throws if the rollout exceeds a limit of AWS
   */
  abstract bind(scope: Construct, id: string, context: RolloutContext): RolloutConfig;
}

class CodeDeploy extends Rollout {
  constructor(
    private readonly shift: TrafficShift,
    private readonly props: CodeDeployRolloutOptions,
  ) {
    super();
  }

  bind(scope: Construct, id: string, context: RolloutContext): RolloutConfig {
    const { deploymentGroup, duration, promoted } = new CodeDeployRollout(scope, id, {
      ...this.props,
      ...context,
      shift: this.shift,
    });
    return { deploymentGroup, duration, promoted };
  }
}
