import { z } from 'zod';
import { type Call, type RehearsalService, type RequiredPermission, ServiceError } from '../../core/service';
import type { Deployment } from './deployment';
import { type Deployments, isRunning } from './deployments';
import { DeploymentFailure } from './model';

/** CodeDeploy for Lambda. https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_Operations.html */
export class CodeDeployOperations implements RehearsalService {
  readonly signingName = 'codedeploy';
  readonly protocol = 'awsJson1.1';
  readonly operations = ['PutLifecycleEventHookExecutionStatus', 'GetDeployment', 'StopDeployment'] as const;
  readonly #deployments: Deployments;

  constructor(deployments: Deployments) {
    this.#deployments = deployments;
  }

  authorize(call: Call): readonly RequiredPermission[] {
    const id = call.input.deploymentId;
    const deployment = this.#deployments.find(String(id));
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
        `hook execution ${lifecycleEventHookExecutionId} of deployment ${deploymentId} has ended`,
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
        ...(view.rolledBackAt === undefined ? {} : { rollbackInfo: { rollbackMessage: 'the alias was rolled back' } }),
      },
    };
  }

  #stopDeployment(input: unknown): unknown {
    const deployment = this.#find(idSchema.parse(input).deploymentId);
    if (!isRunning(deployment.view())) {
      throw new ServiceError('DeploymentAlreadyCompletedException', `deployment ${deployment.id} has ended`);
    }
    deployment.stop(new DeploymentFailure('MANUAL_STOP', 'stopped by request'));
    return { status: 'Pending' };
  }

  /** @throws ServiceError DeploymentDoesNotExistException */
  #find(id: string): Deployment {
    const deployment = this.#deployments.find(id);
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
