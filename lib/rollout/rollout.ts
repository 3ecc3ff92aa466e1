import type { Construct } from 'constructs';
import { CodeDeployRollout } from './code-deploy-rollout';
import type { CodeDeployRolloutOptions, RolloutConfig, RolloutContext } from './rollout-options';
import type { TrafficShift } from './traffic-shift';

/** How a new release gets from the template to the users. */
export abstract class Rollout {
  /**
   * Inside one `cdk deploy`: the candidate lane gets the release, CodeDeploy moves users to it while the gates watch, then
   * the stable lane follows. A failure at any step rolls everything back.
   *
   * The first deployment of a stack shifts nothing: CodeDeploy acts on updates only, and there are no users yet.
   */
  static codeDeploy(shift: TrafficShift, options: CodeDeployRolloutOptions = {}): Rollout {
    return new BoundCodeDeployRollout(shift, options);
  }

  /**
   * Attaches the lanes to the worker and creates the resources of the rollout, in the order that the rollout needs.
   *
   * @throws LaneError if the rollout exceeds a limit of AWS
   *
   * @internal
   */
  abstract _bind(scope: Construct, id: string, context: RolloutContext): RolloutConfig;
}

class BoundCodeDeployRollout extends Rollout {
  constructor(
    private readonly shift: TrafficShift,
    private readonly options: CodeDeployRolloutOptions,
  ) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, id: string, context: RolloutContext): RolloutConfig {
    const { deploymentGroup, duration, promoted } = new CodeDeployRollout(scope, id, {
      ...this.options,
      ...context,
      shift: this.shift,
    });
    return { deploymentGroup, duration, promoted };
  }
}
