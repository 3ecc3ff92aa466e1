import { randomBytes } from 'node:crypto';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';

/** What a task runs, as a revision of a family froze it. */
export interface TaskDefinition {
  readonly arn: string;
  readonly family: string;
  readonly revision: number;
  /** CPU units; 1024 are one vCPU. */
  readonly cpu: number;
  readonly memoryMiB: number;
  readonly taskRoleArn: string | undefined;
  readonly executionRoleArn: string | undefined;
  readonly containers: readonly ContainerDefinition[];
}

export type DependencyCondition = 'START' | 'COMPLETE' | 'SUCCESS' | 'HEALTHY';

export interface ContainerDefinition {
  readonly name: string;
  readonly image: string;
  /** ARN of the secret with which a private registry outside of AWS is asked. */
  readonly registrySecret: string | undefined;
  readonly essential: boolean;
  readonly entryPoint: readonly string[] | undefined;
  readonly command: readonly string[] | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly dependsOn: readonly { readonly container: string; readonly condition: DependencyCondition }[];
  /** Seconds that the containers it depends on may take to satisfy their condition. */
  readonly startTimeoutSeconds: number | undefined;
  /** Seconds from SIGTERM to SIGKILL. */
  readonly stopTimeoutSeconds: number;
  readonly healthCheck: HealthCheck | undefined;
  readonly log: LogTarget | undefined;
}

export interface HealthCheck {
  /** `CMD` and the words of a command, or `CMD-SHELL` and a line for the shell. */
  readonly command: readonly string[];
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly retries: number;
  readonly startPeriodSeconds: number;
}

/** Where the `awslogs` driver writes. */
export interface LogTarget {
  readonly group: string;
  readonly streamPrefix: string;
  readonly createGroup: boolean;
}

export type HealthStatus = 'UNKNOWN' | 'HEALTHY' | 'UNHEALTHY';

/** https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html */
export type TaskStatus = 'PROVISIONING' | 'PENDING' | 'RUNNING' | 'STOPPING' | 'STOPPED';

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html */
export type StopCode =
  | 'TaskFailedToStart'
  | 'EssentialContainerExited'
  | 'UserInitiated'
  | 'ServiceSchedulerInitiated'
  | 'SpotInterruption';

/** Why a task stops. */
export interface StopReason {
  readonly code: StopCode;
  readonly reason: string;
}

export interface Zone {
  readonly subnet: string;
  /** `us-east-1a` */
  readonly zone: string;
}

export type CapacityProvider = 'FARGATE' | 'FARGATE_SPOT';

export interface StrategyItem {
  readonly provider: CapacityProvider;
  readonly base: number;
  readonly weight: number;
}

/** Everything whose change means new tasks: ECS calls it a service revision. */
export interface ServiceRevision {
  readonly definition: TaskDefinition;
  readonly zones: readonly Zone[];
  readonly publicIp: boolean;
  readonly securityGroups: readonly string[];
  readonly strategy: readonly StrategyItem[];
}

export interface DeploymentRules {
  readonly minimumHealthyPercent: number;
  readonly maximumPercent: number;
  /** Undefined: the circuit breaker is off. */
  readonly breaker: CircuitBreaker | undefined;
  /** Undefined: the deployment ends with the last old task. */
  readonly early: EarlySuccess | undefined;
}

export interface CircuitBreaker {
  readonly rollback: boolean;
  readonly resetOnHealthyTask: boolean;
  readonly threshold: { readonly type: 'COUNT' | 'BOUNDED_PERCENT' | 'UNBOUNDED_PERCENT'; readonly value: number };
}

export interface EarlySuccess {
  readonly healthyPercent: number;
  readonly cleanup: 'BLOCKING' | 'DEFERRED';
}

/** A container of a task as the drill sees it. */
export interface ContainerView {
  readonly name: string;
  readonly state: 'PENDING' | 'RUNNING' | 'STOPPED';
  readonly health: HealthStatus;
  readonly processId: number | undefined;
  /** As Docker gives it: 128 and the number of the signal that ended it. */
  readonly exitCode: number | undefined;
}

/** Times are cloud milliseconds since 1970. */
export interface TaskView {
  readonly id: string;
  readonly arn: string;
  /** Name of its service. */
  readonly service: string;
  /** Lane whose queues it polls, if its environment names one. */
  readonly lane: string | undefined;
  readonly definition: string;
  readonly deployment: string;
  readonly capacityProvider: CapacityProvider;
  readonly zone: string;
  readonly status: TaskStatus;
  readonly desiredStatus: 'RUNNING' | 'STOPPED';
  readonly health: HealthStatus;
  readonly protected: boolean;
  readonly protectedUntil: number | undefined;
  readonly createdAt: number;
  readonly startedAt: number | undefined;
  /** When it started to stop. */
  readonly stoppingAt: number | undefined;
  readonly stoppedAt: number | undefined;
  readonly stopCode: StopCode | undefined;
  readonly stoppedReason: string | undefined;
  readonly containers: readonly ContainerView[];
}

export interface DeploymentView {
  readonly id: string;
  readonly status: 'PRIMARY' | 'ACTIVE';
  readonly rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  readonly rolloutReason: string;
  readonly definition: string;
  readonly running: number;
  readonly pending: number;
  /** Failed since the last task that became healthy. */
  readonly failedTasks: number;
  readonly createdAt: number;
}

export interface ServiceView {
  readonly name: string;
  readonly arn: string;
  readonly cluster: string;
  readonly lane: string | undefined;
  readonly desired: number;
  readonly running: number;
  readonly pending: number;
  /** The primary deployment first; then those that still have tasks. */
  readonly deployments: readonly DeploymentView[];
}

export interface EcsEvent {
  readonly at: number;
  readonly service: string;
  /** Absent for what concerns the whole service. */
  readonly task?: string;
  readonly message: string;
}

const PREFIX = `arn:aws:ecs:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}`;

export function clusterArn(cluster: string): string {
  return `${PREFIX}:cluster/${cluster}`;
}

export function serviceArn(cluster: string, service: string): string {
  return `${PREFIX}:service/${cluster}/${service}`;
}

export function taskArn(cluster: string, task: string): string {
  return `${PREFIX}:task/${cluster}/${task}`;
}

export function taskDefinitionArn(family: string, revision: number): string {
  return `${PREFIX}:task-definition/${family}:${revision}`;
}

export function containerArn(cluster: string, task: string, container: string): string {
  return `${PREFIX}:container/${cluster}/${task}/${container}`;
}

/** What a name or an ARN names: `arn:…:cluster/agents` and `agents` are the same cluster. */
export function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1);
}

/** Ids of tasks are 32 hexadecimal digits. */
export function newTaskId(): string {
  return randomBytes(16).toString('hex');
}

/** https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html */
export function logStreamName(taskId: string, container: ContainerDefinition): string {
  return `${container.log?.streamPrefix ?? ''}/${container.name}/${taskId}`;
}
