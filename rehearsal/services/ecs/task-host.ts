import type { RehearsalClock } from '../../core/clock';
import type { IamPort, LogsPort, MetricsPort } from '../../core/ports';
import type { AgentEndpoint } from './agent-endpoint';
import { assumed, ExecutionRole } from './execution-role';
import type { Images, Launch } from './images';
import type { ContainerDefinition } from './model';
import type { Task } from './task';
import { environmentOf, freePort } from './task-environment';

export interface HostDependencies {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  readonly logs: LogsPort & { groups(): readonly string[] };
  readonly metrics: MetricsPort;
  readonly images: Images;
  readonly endpoint: AgentEndpoint;
  readonly frontUrl: () => string;
  readonly extraEnvironment: (service: string) => Readonly<Record<string, string>>;
}

/** A container with all that its process gets. */
export interface PreparedLaunch extends Launch {
  /** Words of the program that checks its health; empty if there is none. */
  readonly healthArgv: readonly string[];
}

/** Gives tasks what a machine of Fargate and ECS's agent on it give them: images, logs, credentials, endpoints. */
export class TaskHost {
  constructor(private readonly deps: HostDependencies) {}

  /** All that may keep a task from starting, and then its containers' processes. @throws StartFailure, ImageError */
  async prepare(task: Task): Promise<ReadonlyMap<string, PreparedLaunch>> {
    const { iam, images, logs, endpoint } = this.deps;
    const { definition, service } = task.props;
    const execution = new ExecutionRole(iam, definition, service);
    const identity =
      definition.taskRoleArn === undefined ? undefined : assumed(iam, definition.taskRoleArn, service, task.id);
    const groups = new Set(logs.groups());
    for (const container of definition.containers) {
      execution.pull(container);
      if (container.log !== undefined) {
        execution.openLog(container.log, streamOf(task, container), groups.has(container.log.group));
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
          extra: this.deps.extraEnvironment(service),
          ports,
          endpoints: endpoints(container.name),
          frontUrl: this.deps.frontUrl(),
          clock: this.deps.clock,
          home: launch.cwd,
        });
        return [container.name, { ...launch, environment, healthArgv: healthArgv(container) }];
      }),
    );
  }

  /** A line of a container: to its log stream, and if it is a metric, to CloudWatch. */
  log(task: Task, container: ContainerDefinition, line: string): void {
    if (container.log !== undefined) {
      this.deps.logs.write(container.log.group, streamOf(task, container), line);
      this.deps.metrics.ingestLogLine(line);
    }
  }

  /** Nothing is served to the task any more. */
  forget(task: Task): void {
    this.deps.endpoint.close(task);
  }
}

/** https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html */
export function streamOf(task: Task, container: ContainerDefinition): string {
  return `${container.log?.streamPrefix ?? ''}/${container.name}/${task.id}`;
}

function healthArgv({ healthCheck }: ContainerDefinition): readonly string[] {
  const [form = '', ...words] = healthCheck?.command ?? [];
  if (form === 'CMD-SHELL') {
    return ['/bin/sh', '-c', words.join(' ')];
  }
  const [program = '', ...rest] = words;
  return [program === 'node' ? process.execPath : program, ...rest];
}
