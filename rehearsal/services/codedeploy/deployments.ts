import type { RehearsalClock } from '../../core/clock';
import { randomSuffix } from '../../core/physical-name';
import type { IamPort, LambdaPort, MetricsPort } from '../../core/ports';
import { Deployment } from './deployment';
import {
  type DeploymentEvent,
  DeploymentFailure,
  type DeploymentGroup,
  type DeploymentRequest,
  type DeploymentView,
} from './model';
import { predefinedShift, type TrafficShift } from './traffic-shift';

export interface CodeDeployDeps {
  readonly clock: RehearsalClock;
  readonly lambda: LambdaPort;
  readonly metrics: MetricsPort;
  readonly iam: IamPort;
  readonly onEvent?: (event: DeploymentEvent) => void;
}

/** Applications, deployment configurations and groups of the stacks, and the deployments that run in the groups. */
export class Deployments {
  readonly applications = new Set<string>();
  readonly configs = new Map<string, TrafficShift>();
  readonly #deps: CodeDeployDeps;
  readonly #groups = new Map<string, DeploymentGroup>();
  readonly #all: Deployment[] = [];

  constructor(deps: CodeDeployDeps) {
    this.#deps = deps;
  }

  group(application: string, name: string): DeploymentGroup | undefined {
    return this.#groups.get(groupKey(application, name));
  }

  putGroup(group: DeploymentGroup): void {
    this.#groups.set(groupKey(group.application, group.name), group);
  }

  removeGroup(application: string, name: string): void {
    this.#groups.delete(groupKey(application, name));
  }

  usesConfig(name: string): boolean {
    return [...this.#groups.values()].some((group) => group.configName === name);
  }

  /**
   * Runs a deployment.
   *
   * @throws DeploymentFailure when it fails, after the alias was rolled back
   */
  async deploy(request: DeploymentRequest): Promise<DeploymentView> {
    const group = this.group(request.application, request.group);
    if (group === undefined) {
      throw new DeploymentFailure(
        'INTERNAL_ERROR',
        `no deployment group ${request.group} in application ${request.application}`,
      );
    }
    const shift = this.configs.get(group.configName) ?? predefinedShift(group.configName);
    if (shift === undefined) {
      throw new DeploymentFailure('INTERNAL_ERROR', `no deployment configuration ${group.configName}`);
    }
    const running = this.#all.find(
      (deployment) =>
        deployment.group.application === group.application &&
        deployment.group.name === group.name &&
        isRunning(deployment.view()),
    );
    if (running !== undefined) {
      throw new DeploymentFailure(
        'INTERNAL_ERROR',
        `deployment ${running.id} of group ${group.name} is in progress; a group runs one at a time`,
      );
    }
    const deployment = new Deployment(`d-${randomSuffix(9)}`, group, request, shift, {
      clock: this.#deps.clock,
      lambda: this.#deps.lambda,
      metrics: this.#deps.metrics,
      iam: this.#deps.iam,
      onEvent: this.#deps.onEvent ?? (() => undefined),
    });
    this.#all.push(deployment);
    await deployment.run();
    return deployment.view();
  }

  views(): readonly DeploymentView[] {
    return this.#all.map((deployment) => deployment.view());
  }

  /** Stops the deployments in progress, as StopDeployment does. */
  stop(): void {
    for (const deployment of this.#all) {
      deployment.stop(new DeploymentFailure('MANUAL_STOP', 'the rehearsal ended'));
    }
  }

  find(id: string): Deployment | undefined {
    return this.#all.find((candidate) => candidate.id === id);
  }
}

export function isRunning(view: DeploymentView): boolean {
  return view.status === 'Created' || view.status === 'InProgress';
}

function groupKey(application: string, name: string): string {
  return JSON.stringify([application, name]);
}
