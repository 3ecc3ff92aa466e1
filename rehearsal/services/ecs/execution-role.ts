import type { IamPort } from '../../core/ports';
import type { Principal } from '../../core/principal';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import type { ContainerDefinition, LogTarget, TaskDefinition } from './model';

/** Why a task does not start, in the words of `stoppedReason`. */
export class StartFailure extends Error {}

/** Service that takes on the roles of tasks. */
export const TASKS_SERVICE = 'ecs-tasks.amazonaws.com';

/**
 * What AWS does with a task's execution role before its containers run: it pulls the images and opens the log streams.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
 */
export class ExecutionRole {
  readonly #iam: IamPort;
  readonly #definition: TaskDefinition;
  readonly #principal: Principal | undefined;

  /** @throws StartFailure for a role that does not exist or that ECS may not assume */
  constructor(iam: IamPort, definition: TaskDefinition, label: string) {
    this.#iam = iam;
    this.#definition = definition;
    const { executionRoleArn } = definition;
    this.#principal =
      executionRoleArn === undefined
        ? undefined
        : assumeTaskRole(iam, executionRoleArn, `${label}-execution`).principal;
  }

  /** @throws StartFailure for an image of ECR, or of a private registry, that the role may not pull */
  checkImagePull({ image, registrySecret }: ContainerDefinition): void {
    const secret =
      registrySecret === undefined ? undefined : this.#denial('secretsmanager:GetSecretValue', registrySecret);
    if (secret !== undefined) {
      throw new StartFailure(
        `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret ${registrySecret} from secrets manager: AccessDeniedException: ${secret}`,
      );
    }
    const [, registry, repository] = ECR_IMAGE.exec(image) ?? [];
    if (registry === undefined || repository === undefined) {
      return;
    }
    const login = this.#denial('ecr:GetAuthorizationToken', '*');
    if (login !== undefined) {
      throw new StartFailure(
        `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: ${login}`,
      );
    }
    const arn = `arn:aws:ecr:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:repository/${repository}`;
    for (const action of ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchCheckLayerAvailability']) {
      const denied = this.#denial(action, arn);
      if (denied !== undefined) {
        throw new StartFailure(
          `CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref ${image}: pulling from host ${registry} failed with status code [manifests]: 403 Forbidden (${denied})`,
        );
      }
    }
  }

  /** @throws StartFailure when the role may not write to the stream, or there is no such group */
  checkLogStream(log: LogTarget, stream: string, groupExists: boolean): void {
    const group = `arn:aws:logs:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:log-group:${log.group}`;
    const actions = log.createGroup && !groupExists ? ['logs:CreateLogGroup'] : [];
    for (const action of [...actions, 'logs:CreateLogStream', 'logs:PutLogEvents']) {
      const denied = this.#denial(action, action === 'logs:CreateLogGroup' ? group : `${group}:log-stream:${stream}`);
      if (denied !== undefined) {
        throw logStreamFailure(`AccessDeniedException: ${denied}`);
      }
    }
    if (!groupExists && !log.createGroup) {
      throw logStreamFailure('ResourceNotFoundException: The specified log group does not exist.');
    }
  }

  #denial(action: string, resource: string): string | undefined {
    if (this.#principal === undefined) {
      return `the task definition ${this.#definition.arn} has no execution role`;
    }
    const decision = this.#iam.decide(this.#principal, { action, resource });
    return decision.allowed ? undefined : decision.reason;
  }
}

const ECR_IMAGE = /^(\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?)\/([^:@]+)/;

export function isInEcr(image: string): boolean {
  return ECR_IMAGE.test(image);
}

function logStreamFailure(why: string): StartFailure {
  return new StartFailure(
    `ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ${why}`,
  );
}

/** Credentials of a role that ECS takes on, and who they make of their bearer. @throws StartFailure */
export function assumeTaskRole(iam: IamPort, roleArn: string, label: string, session?: string) {
  try {
    const credentials = iam.sessionFor(roleArn, label, TASKS_SERVICE, session);
    return { credentials, principal: iam.principalOf(credentials.accessKeyId) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartFailure(
      `ECS was unable to assume the role '${roleArn}' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions. (${why})`,
    );
  }
}
