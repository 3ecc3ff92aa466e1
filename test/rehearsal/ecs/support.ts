import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer } from '../../../rehearsal/api-server';
import type { RehearsalClock } from '../../../rehearsal/core/clock';
import type { MetricsPort } from '../../../rehearsal/core/ports';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  type ResourceOutcome,
  type StackContext,
} from '../../../rehearsal/core/resource';
import {
  createEcs,
  type Ecs,
  type EcsDeps,
  type EcsEvent,
  type ServiceView,
  type TaskView,
} from '../../../rehearsal/services/ecs';
import { createIam } from '../../../rehearsal/services/iam';
import type { Iam } from '../../../rehearsal/services/iam/model';
import { createLogs, type Logs } from '../../../rehearsal/services/logs';
import { ManualClock } from '../../support/manual-clock';

export const TASK_ROLE = `arn:aws:iam::${REHEARSAL_ACCOUNT}:role/task`;
export const EXECUTION_ROLE = `arn:aws:iam::${REHEARSAL_ACCOUNT}:role/execution`;
export const LOG_GROUP = 'containers';

/** Cloud milliseconds until a task's containers start. */
export const START_MS = 35_000;

/** A container that does nothing until it is told to stop, and then ends well. */
export const IDLE = 'process.on("SIGTERM", () => process.exit(0)); console.log("up"); setInterval(() => {}, 1000);';

/** ECS behind a apiServer, with roles for tasks and a log group. */
export class World {
  static async open(options: Partial<EcsDeps> & { readonly clock?: RehearsalClock } = {}): Promise<World> {
    const { iam } = createIam();
    const apiServer = await ApiServer.start({ iam });
    const clock = options.clock ?? new ManualClock();
    const logs = createLogs({ clock });
    const world = new World(clock, iam, apiServer, logs, options);
    world.role(TASK_ROLE, [allow('ecs:*')]);
    world.role(EXECUTION_ROLE, [allow('ecr:*'), allow('logs:*')]);
    await logs.handlers[0]?.create(world.request('AWS::Logs::LogGroup', 'Group', { LogGroupName: LOG_GROUP }));
    return world;
  }

  readonly ecs: Ecs;
  readonly events: EcsEvent[] = [];
  readonly metricLines: string[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'agent-lanes-ecs-'));
  private readonly scripts: { image: string; command: readonly string[]; cwd: string }[] = [];

  private constructor(
    readonly clock: RehearsalClock,
    readonly iam: Iam,
    readonly apiServer: ApiServer,
    readonly logs: Logs,
    options: Partial<EcsDeps>,
  ) {
    const metrics: MetricsPort = {
      put: () => undefined,
      ingestLogLine: (line) => this.metricLines.push(line),
      alarm: () => undefined,
      alarms: () => [],
    };
    this.ecs = createEcs({
      iam,
      logs,
      metrics,
      endpointUrl: () => apiServer.url,
      mount: apiServer.mount.bind(apiServer),
      commands: this.scripts,
      onEvent: (event) => this.events.push(event),
      ...options,
      clock,
    });
  }

  get stack(): StackContext {
    return {
      stackName: 'Test',
      stackId: 'stack',
      region: REHEARSAL_REGION,
      account: REHEARSAL_ACCOUNT,
      partition: 'aws',
      assemblyDirectory: this.folder,
      clock: this.clock,
    };
  }

  request(_type: string, logicalId: string, properties: Record<string, unknown>) {
    return { stack: this.stack, logicalId, path: logicalId, properties, report: () => undefined };
  }

  role(arn: string, statements: readonly Record<string, unknown>[], service = 'ecs-tasks.amazonaws.com'): void {
    this.iam.putRole({
      arn,
      name: arn.slice(arn.lastIndexOf('/') + 1),
      trust: { Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: service } }] },
      inline: { inline: { Statement: statements } },
      managedArns: [],
    });
  }

  /** An image that runs this script in Node. */
  image(name: string, script: string): string {
    return this.program(name, ['node', '-e', script]);
  }

  /** An image that runs this program. */
  program(name: string, command: readonly string[]): string {
    this.scripts.push({ image: name, command, cwd: this.folder });
    return name;
  }

  private handler(type: string) {
    const found = this.ecs.handlers.find((one) => one.type === type);
    if (found === undefined) {
      throw new Error(`no handler of ${type}`);
    }
    return found;
  }

  create(type: string, logicalId: string, properties: Record<string, unknown>): Promise<ResourceOutcome> {
    return this.handler(type).create(this.request(type, logicalId, properties));
  }

  update(
    type: string,
    physicalId: string,
    properties: Record<string, unknown>,
    previous: Record<string, unknown> = {},
  ): Promise<ResourceOutcome> {
    const request = this.request(type, 'Resource', properties);
    return this.handler(type).update({ ...request, physicalId, previous, rollback: false });
  }

  delete(type: string, physicalId: string, properties: Record<string, unknown> = {}): Promise<void> {
    return this.handler(type).delete({ stack: this.stack, logicalId: 'Resource', physicalId, properties });
  }

  /** Registers a task definition. @returns its ARN */
  async define(containers: readonly Record<string, unknown>[], more: Record<string, unknown> = {}): Promise<string> {
    const { physicalId } = await this.create('AWS::ECS::TaskDefinition', 'Task', {
      ContainerDefinitions: containers,
      Cpu: '256',
      ExecutionRoleArn: EXECUTION_ROLE,
      Family: 'family',
      Memory: '512',
      NetworkMode: 'awsvpc',
      RequiresCompatibilities: ['FARGATE'],
      TaskRoleArn: TASK_ROLE,
      ...more,
    });
    return physicalId;
  }

  /** Properties of a service in the cluster `cluster`, which is made if need be. */
  async serviceOf(definition: string, more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    await this.create('AWS::ECS::Cluster', 'Cluster', {
      ClusterName: 'cluster',
      CapacityProviders: ['FARGATE', 'FARGATE_SPOT'],
    });
    return {
      Cluster: 'cluster',
      NetworkConfiguration: { AwsvpcConfiguration: { Subnets: ['subnet-1', 'subnet-2'] } },
      ServiceName: 'service',
      TaskDefinition: definition,
      ...more,
    };
  }

  /** Creates a service and lets its first tasks start. */
  async launch(definition: string, more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const properties = await this.serviceOf(definition, more);
    const creating = this.create('AWS::ECS::Service', 'Service', properties);
    await this.pass(START_MS);
    await creating;
    return properties;
  }

  /** Moves a clock that stands still. */
  async pass(milliseconds: number): Promise<void> {
    if (!(this.clock instanceof ManualClock)) {
      throw new Error('this clock runs by itself');
    }
    await this.clock.advance(milliseconds);
  }

  get service(): ServiceView {
    const [service] = this.ecs.services();
    if (service === undefined) {
      throw new Error('there is no service');
    }
    return service;
  }

  /** Tasks that are meant to run. */
  get tasks(): readonly TaskView[] {
    return this.ecs.tasks().filter(({ desiredStatus }) => desiredStatus === 'RUNNING');
  }

  task(id: string): TaskView {
    const task = this.ecs.tasks().find((one) => one.id === id);
    if (task === undefined) {
      throw new Error(`there is no task ${id}`);
    }
    return task;
  }

  lines(): readonly string[] {
    return this.logs.lines(LOG_GROUP).map(({ message }) => message);
  }

  async close(): Promise<void> {
    await this.ecs.stop();
    await this.apiServer.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function allow(action: string, resource = '*'): Record<string, unknown> {
  return { Effect: 'Allow', Action: action, Resource: resource };
}

/** A container that logs. */
export function container(image: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    Image: image,
    LogConfiguration: {
      LogDriver: 'awslogs',
      Options: { 'awslogs-group': LOG_GROUP, 'awslogs-region': REHEARSAL_REGION, 'awslogs-stream-prefix': 'lane' },
    },
    Name: 'main',
    ...more,
  };
}

/** Waits in real time until the check holds. */
export async function eventually(check: () => boolean | Promise<boolean>, what: string, ms = 15_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await check())) {
    if (Date.now() > end) {
      throw new Error(`still waiting after ${ms} ms: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
