import type { Container } from './container';
import { clusterArn, containerArn, logStreamName } from './model';
import type { Task } from './task';

/** https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html */
export function taskMetadata(task: Task): Readonly<Record<string, unknown>> {
  const { cluster, definition, service, zone } = task.props;
  const { view } = task;
  return {
    Cluster: clusterArn(cluster),
    TaskARN: task.arn,
    Family: definition.family,
    Revision: String(definition.revision),
    DesiredStatus: view.desiredStatus,
    KnownStatus: view.status,
    Limits: { CPU: definition.cpu / 1024, Memory: definition.memoryMiB },
    PullStartedAt: time(task.createdAt),
    PullStoppedAt: time(view.startedAt),
    AvailabilityZone: zone.zone,
    LaunchType: 'FARGATE',
    ServiceName: service,
    Containers: task.containers.map((container) => describeContainer(task, container)),
  };
}

/** @param name of a container of the task */
export function containerMetadata(task: Task, name: string): Readonly<Record<string, unknown>> {
  const container = task.containers.find((one) => one.name === name);
  return container === undefined ? {} : describeContainer(task, container);
}

function describeContainer(task: Task, container: Container): Readonly<Record<string, unknown>> {
  const { cluster, definition } = task.props;
  const { definition: own } = container;
  const { view } = container;
  return {
    DockerId: `${task.id}-${own.name}`,
    Name: own.name,
    DockerName: own.name,
    Image: own.image,
    Labels: {
      'com.amazonaws.ecs.cluster': clusterArn(cluster),
      'com.amazonaws.ecs.container-name': own.name,
      'com.amazonaws.ecs.task-arn': task.arn,
      'com.amazonaws.ecs.task-definition-family': definition.family,
      'com.amazonaws.ecs.task-definition-version': String(definition.revision),
    },
    DesiredStatus: task.shouldRun ? 'RUNNING' : 'STOPPED',
    KnownStatus: view.state,
    ExitCode: view.exitCode,
    Limits: { CPU: 0 },
    StartedAt: time(container.startedAt),
    Type: 'NORMAL',
    ...(own.healthCheck === undefined ? {} : { Health: { status: view.health } }),
    ...(own.log === undefined
      ? {}
      : {
          LogDriver: 'awslogs',
          LogOptions: { 'awslogs-group': own.log.group, 'awslogs-stream': logStreamName(task.id, own) },
        }),
    ContainerARN: containerArn(cluster, task.id, own.name),
    Networks: [{ NetworkMode: 'awsvpc', IPv4Addresses: ['127.0.0.1'] }],
  };
}

function time(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}
