import type { RehearsalClock } from '../../core/clock';
import { handlerNode } from '../../core/handler-node';
import type { IamPort, LogsPort, MetricsPort } from '../../core/ports';
import type { NetworkPlacement } from '../ec2';
import type { AgentEndpoint } from './agent-endpoint';
import { assumeTaskRole, ExecutionRole, isInEcr, StartFailure } from './execution-role';
import type { Images, PreparedLaunch } from './images';
import { type ContainerDefinition, logStreamName } from './model';
import type { Task, TaskHost } from './task';
import { environmentOf, freePort } from './task-environment';

export interface FargateHostDeps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  readonly logs: LogsPort & { groups(): readonly string[] };
  readonly metrics: MetricsPort;
  readonly images: Images;
  readonly endpoint: AgentEndpoint;
  readonly endpointUrl: () => string;
  readonly extraEnvironment: (service: string) => Readonly<Record<string, string>>;
  /** Why a service cannot be reached from a place in a network; undefined when it can. */
  readonly unreachable: (place: NetworkPlacement, service: string) => string | undefined;
}

/** Gives tasks what a machine of Fargate and ECS's agent on it give them: images, logs, credentials, endpoints. */
export class FargateHost implements TaskHost {
  readonly #deps: FargateHostDeps;

  constructor(deps: FargateHostDeps) {
    this.#deps = deps;
  }

  /** All that may keep a task from starting, and then its containers' processes. @throws StartFailure, ImageError */
  async prepare(task: Task): Promise<ReadonlyMap<string, PreparedLaunch>> {
    const { iam, images, logs, endpoint } = this.#deps;
    const { definition, service } = task.props;
    const execution = new ExecutionRole(iam, definition, service);
    const identity =
      definition.taskRoleArn === undefined ? undefined : assumeTaskRole(iam, definition.taskRoleArn, service, task.id);
    const groups = new Set(logs.groups());
    for (const container of definition.containers) {
      this.#checkReachability(task, container);
      execution.checkImagePull(container);
      if (container.log !== undefined) {
        execution.checkLogStream(container.log, logStreamName(task.id, container), groups.has(container.log.group));
      }
    }
    const ports = { agent: await freePort(), worker: await freePort() };
    const endpoints = endpoint.open(task, identity);
    return new Map(
      definition.containers.map((container) => {
        const launch = images.launchOf(container.image, container);
        const environment = environmentOf({
          definition: container,
          image: launch.environment,
          extra: this.#deps.extraEnvironment(service),
          ports,
          endpoints: endpoints(container.name),
          endpointUrl: this.#deps.endpointUrl(),
          clock: this.#deps.clock,
          home: launch.cwd,
        });
        return [container.name, { ...launch, environment, healthArgv: healthArgv(container) }];
      }),
    );
  }

  /** @throws StartFailure for an image, its secret or a log that the task's network does not lead to */
  #checkReachability(task: Task, { image, registrySecret, log }: ContainerDefinition): void {
    const missing = (...services: readonly string[]) =>
      services.map((service) => this.#deps.unreachable(task.place, service)).find((reason) => reason !== undefined);
    const secret = registrySecret === undefined ? undefined : missing('secretsmanager');
    const registry = isInEcr(image) ? missing('ecr.api', 'ecr.dkr', 's3') : missing('internet');
    const stream = log === undefined ? undefined : missing('logs');
    if (secret !== undefined || stream !== undefined) {
      throw new StartFailure(
        `ResourceInitializationError: unable to pull secrets or registry auth, or to validate logger args: the task cannot reach the service. Check your task network configuration. (${secret ?? stream})`,
      );
    }
    if (registry !== undefined) {
      throw new StartFailure(
        `CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref ${image}: dial tcp: i/o timeout (${registry})`,
      );
    }
  }

  /** A line of a container: to its log stream, and if it is a metric, to CloudWatch. */
  log(task: Task, container: ContainerDefinition, line: string): void {
    if (container.log !== undefined) {
      this.#deps.logs.write(container.log.group, logStreamName(task.id, container), line);
      this.#deps.metrics.ingestLogLine(line);
    }
  }

  /** Nothing is served to the task any more. */
  release(task: Task): void {
    this.#deps.endpoint.close(task);
  }
}

function healthArgv({ healthCheck }: ContainerDefinition): readonly string[] {
  const [form = '', ...words] = healthCheck?.command ?? [];
  if (form === 'CMD-SHELL') {
    return ['/bin/sh', '-c', words.join(' ')];
  }
  const [program = '', ...rest] = words;
  return [program === 'node' ? handlerNode().program : program, ...rest];
}
