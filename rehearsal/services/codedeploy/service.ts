import { z } from 'zod';
import type { RehearsalClock } from '../../core/clock';
import { randomSuffix } from '../../core/physical-name';
import type { IamPort, LambdaPort, MetricsPort } from '../../core/ports';
import { type Call, type RehearsalService, type RequiredPermission, ServiceError } from '../../core/service';
import { Deployment } from './deployment';
import {
  type DeploymentEvent,
  DeploymentFailure,
  type DeploymentGroup,
  type DeploymentRequest,
  type DeploymentView,
} from './model';
import { predefinedShift, type TrafficShift } from './traffic-shift';

export interface CodeDeployOptions {
  readonly clock: RehearsalClock;
  readonly lambda: LambdaPort;
  readonly metrics: MetricsPort;
  readonly iam: IamPort;
  readonly onEvent?: (event: DeploymentEvent) => void;
}

/** CodeDeploy for Lambda. Source: https://docs.aws.amazon.com/codedeploy/latest/APIReference/Welcome.html */
export class CodeDeployService implements RehearsalService {
  readonly #options: CodeDeployOptions;
  readonly signingName = 'codedeploy';
  readonly protocol = 'awsJson1.1';
  readonly operations = ['PutLifecycleEventHookExecutionStatus', 'GetDeployment', 'StopDeployment'] as const;
  readonly applications = new Set<string>();
  readonly configs = new Map<string, TrafficShift>();
  readonly #groupsByKey = new Map<string, DeploymentGroup>();
  readonly #all: Deployment[] = [];

  constructor(options: CodeDeployOptions) {
    this.#options = options;
  }

  group(application: string, name: string): DeploymentGroup | undefined {
    return this.#groupsByKey.get(groupKey(application, name));
  }

  putGroup(group: DeploymentGroup): void {
    this.#groupsByKey.set(groupKey(group.application, group.name), group);
  }

  removeGroup(application: string, name: string): void {
    this.#groupsByKey.delete(groupKey(application, name));
  }

  hasGroups(application: string): boolean {
    return [...this.#groupsByKey.values()].some((group) => group.application === application);
  }

  usesConfig(name: string): boolean {
    return [...this.#groupsByKey.values()].some((group) => group.configName === name);
  }

  /**
   * Runs a deployment to its end.
   *
   * @throws DeploymentFailure when it fails, after the alias was flipped back
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
        `deployment ${running.id} of group ${group.name} is under way; a group takes one at a time`,
      );
    }
    const deployment = new Deployment(`d-${randomSuffix(9)}`, group, request, shift, {
      clock: this.#options.clock,
      lambda: this.#options.lambda,
      metrics: this.#options.metrics,
      iam: this.#options.iam,
      onEvent: this.#options.onEvent ?? (() => undefined),
    });
    this.#all.push(deployment);
    await deployment.run();
    return deployment.view();
  }

  deployments(): readonly DeploymentView[] {
    return this.#all.map((deployment) => deployment.view());
  }

  /** Ends what runs, as a stop by hand would. */
  stop(): void {
    for (const deployment of this.#all) {
      deployment.stop(new DeploymentFailure('MANUAL_STOP', 'the rehearsal ended'));
    }
  }

  authorize(call: Call): readonly RequiredPermission[] {
    const id = call.input.deploymentId;
    const deployment = this.#all.find((candidate) => candidate.id === id);
    return [{ action: `codedeploy:${call.operation}`, resource: deployment?.group.arn ?? '*' }];
  }

  async handle(call: Call): Promise<unknown> {
    switch (call.operation) {
      case 'PutLifecycleEventHookExecutionStatus':
        return this.#putHookStatus(call.input);
      case 'GetDeployment':
        return this.#getDeployment(call.input);
      case 'StopDeployment':
        return this.#stopDeployment(call.input);
      default:
        throw new ServiceError('InvalidOperationException', `not rehearsable: codedeploy ${call.operation}`);
    }
  }

  #putHookStatus(input: unknown): unknown {
    const request = hookStatusSchema.safeParse(input);
    if (!request.success) {
      const path = request.error.issues[0]?.path.join('.') ?? '';
      throw path === 'status'
        ? new ServiceError(
            'InvalidLifecycleEventHookExecutionStatusException',
            'status: a hook reports Succeeded or Failed',
          )
        : new ServiceError('DeploymentIdRequiredException', `${path} is missing`);
    }
    const { deploymentId, lifecycleEventHookExecutionId, status } = request.data;
    const outcome = this.#find(deploymentId).report(lifecycleEventHookExecutionId, status);
    if (outcome === 'unknown') {
      throw new ServiceError(
        'InvalidLifecycleEventHookExecutionIdException',
        `deployment ${deploymentId} has no hook execution ${lifecycleEventHookExecutionId}`,
      );
    }
    if (outcome === 'completed') {
      throw new ServiceError(
        'LifecycleEventAlreadyCompletedException',
        `hook execution ${lifecycleEventHookExecutionId} of deployment ${deploymentId} is over`,
      );
    }
    return { lifecycleEventHookExecutionId };
  }

  #getDeployment(input: unknown): unknown {
    const deployment = this.#find(idSchema.parse(input).deploymentId);
    const view = deployment.view();
    const code = deployment.failureCode();
    return {
      deploymentInfo: {
        applicationName: view.application,
        deploymentGroupName: view.group,
        deploymentConfigName: deployment.group.configName,
        deploymentId: view.id,
        status: view.status,
        computePlatform: 'Lambda',
        createTime: view.createdAt / 1000,
        ...(view.endedAt === undefined ? {} : { completeTime: view.endedAt / 1000 }),
        ...(view.reason === undefined ? {} : { errorInformation: { code, message: view.reason } }),
        ...(view.rolledBackAt === undefined ? {} : { rollbackInfo: { rollbackMessage: 'the alias was put back' } }),
      },
    };
  }

  #stopDeployment(input: unknown): unknown {
    const deployment = this.#find(idSchema.parse(input).deploymentId);
    if (!isRunning(deployment.view())) {
      throw new ServiceError('DeploymentAlreadyCompletedException', `deployment ${deployment.id} is over`);
    }
    deployment.stop(new DeploymentFailure('MANUAL_STOP', 'stopped by request'));
    return { status: 'Pending' };
  }

  #find(id: string): Deployment {
    const deployment = this.#all.find((candidate) => candidate.id === id);
    if (deployment === undefined) {
      throw new ServiceError('DeploymentDoesNotExistException', `no deployment ${id}`);
    }
    return deployment;
  }
}

const hookStatusSchema = z.object({
  deploymentId: z.string(),
  lifecycleEventHookExecutionId: z.string(),
  status: z.enum(['Succeeded', 'Failed']),
});

const idSchema = z.object({ deploymentId: z.string() });

function isRunning(view: DeploymentView): boolean {
  return view.status === 'Created' || view.status === 'InProgress';
}

function groupKey(application: string, name: string): string {
  return JSON.stringify([application, name]);
}
