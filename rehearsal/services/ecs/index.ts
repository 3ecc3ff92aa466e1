import type { HttpHandler } from '../../api-server';
import type { ImageAsset } from '../../assembly';
import type { RehearsalClock } from '../../core/clock';
import { type FaultsPort, NO_FAULTS } from '../../core/faults';
import type { IamPort, LogsPort, MetricsPort } from '../../core/ports';
import type { Principal } from '../../core/principal';
import type { ResourceHandler } from '../../core/resource';
import type { Call } from '../../core/service';
import type { NetworkPlacement } from '../ec2';
import { AGENT_PREFIX, AgentEndpoint } from './agent-endpoint';
import { Clusters } from './clusters';
import type { Service } from './ecs-service';
import { FargateHost } from './fargate-host';
import { type ImageCommand, Images } from './images';
import type { CapacityProvider, EcsEvent, ServiceView, TaskView } from './model';
import { associationsHandler, clusterHandler, ServiceHandler, TaskDefinitionHandler } from './resources';
import { ServiceMetrics } from './service-metrics';
import type { Task } from './task';
import { TaskDefinitions } from './task-definitions';
import { TaskFaultInjector } from './task-fault-injector';

export type { ImageCommand } from './images';
export type { ContainerView, EcsEvent, ServiceView, TaskView } from './model';

export interface EcsDeps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  readonly logs: LogsPort & { groups(): readonly string[] };
  readonly metrics: MetricsPort;
  /** Base URL of the API server: the containers' `AWS_ENDPOINT_URL`. */
  readonly endpointUrl: () => string;
  /** Serves HTTP below a prefix of the API server. */
  readonly mount: (prefix: string, handler: HttpHandler) => unknown;
  /** What to run for images that are no assets of the assembly. @default nothing */
  readonly commands?: readonly ImageCommand[];
  /** Folder of the app: there commands run whose image is no asset. @default that of this process */
  readonly appDirectory?: string;
  /** Variables that every container gets in addition to the template's. @default - none */
  readonly extraEnvironment?: (service: string) => Readonly<Record<string, string>>;
  /** Zone of a subnet of this cloud. @default - no subnet has a known zone */
  readonly zoneOf?: (subnet: string) => string | undefined;
  /** Why a service cannot be reached from a placement in this cloud. @default - everything can be reached */
  readonly unreachable?: (place: NetworkPlacement, service: string) => string | undefined;
  /** Injected faults. @default - none */
  readonly faults?: FaultsPort;
  readonly onEvent?: (event: EcsEvent) => void;
}

export interface Ecs {
  readonly handlers: readonly ResourceHandler[];
  /** Services as Application Auto Scaling knows them: `service/CLUSTER/NAME`. */
  readonly scalable: {
    desiredCount(resourceId: string): number | undefined;
    scaleTo(resourceId: string, count: number): void;
    deploying(resourceId: string): boolean;
  };
  /** Registers an image asset of an assembly. */
  registerImage(asset: ImageAsset): void;
  services(): readonly ServiceView[];
  /** Of all services, deleted ones first, in the order of their creation; the newest stopped ones among them. */
  tasks(): readonly TaskView[];
  /** Revisions of task definitions, with whether they are active. */
  taskDefinitions(): readonly { readonly arn: string; readonly active: boolean }[];
  /** Why a task cannot reach a service (by signing name); undefined if it can, or if the caller is not a task. */
  unreachable(principal: Principal, signingName: string): string | undefined;
  /** Must be called for every successful call: faults hit tasks while they work on the messages that they received. */
  observe(service: string, call: Call, output: unknown): void;
  /** Ends every process of the task at once, as in a crash. False if no such task is running. */
  kill(taskId: string): boolean;
  /** Stops the task as StopTask does: SIGTERM, and SIGKILL when the stop timeouts are over. Also stops a protected task. */
  stopTask(taskId: string, reason?: string): boolean;
  /** Interrupts a Spot task: SIGTERM, and SIGKILL after at most two minutes. False unless it is a Spot task. */
  reclaim(taskId: string): boolean;
  /** Suspends the first process of each container for `realMs` real milliseconds. */
  freeze(taskId: string, realMs: number): boolean;
  /** Ends every process. */
  stop(): Promise<void>;
}

/** Tasks of deleted services that are still shown, the newest. */
const MAX_DELETED_SERVICE_TASKS = 2_000;

/** Names of services in endpoints where their signing names differ. */
const ENDPOINT_NAMES: Readonly<Record<string, string>> = { appconfig: 'appconfigdata', bedrock: 'bedrock-runtime' };

/** ECS on Fargate: services run their tasks as processes of this machine; see {@link Service} and {@link Task}. */
export function createEcs(deps: EcsDeps): Ecs {
  const { clock } = deps;
  const services = new Map<string, Service>();
  const past: TaskView[] = [];
  const isUsed = (cluster: string, provider?: CapacityProvider) =>
    [...services.values()].some(
      (service) =>
        service.clusterName === cluster &&
        (provider === undefined || service.revision?.strategy.some((item) => item.provider === provider) === true),
    );
  const clusters = new Clusters(isUsed);
  const definitions = new TaskDefinitions();
  const images = new Images(deps.commands ?? [], deps.appDirectory);
  const endpoint = new AgentEndpoint({
    clock,
    iam: deps.iam,
    endpointUrl: deps.endpointUrl,
    faults: deps.faults,
    protect: (task, minutes) => {
      const service = [...services.values()].find((one) => one.livingTasks().includes(task));
      return service?.protect(task, minutes) ?? { failure: { reason: 'TASK_NOT_VALID', detail: undefined } };
    },
  });
  deps.mount(AGENT_PREFIX, (request, response) => endpoint.handle(request, response));
  const host = new FargateHost({
    clock,
    iam: deps.iam,
    logs: deps.logs,
    metrics: deps.metrics,
    images,
    endpoint,
    endpointUrl: deps.endpointUrl,
    extraEnvironment: deps.extraEnvironment ?? (() => ({})),
    unreachable: (place, service) => deps.unreachable?.(place, service),
  });
  const taskOf = (id: string): Task | undefined => {
    for (const service of services.values()) {
      const task = service.livingTask(id);
      if (task !== undefined) {
        return task;
      }
    }
    return undefined;
  };
  const withTask = (id: string, act: (task: Task) => boolean): boolean => {
    const task = taskOf(id);
    return task !== undefined && act(task);
  };
  const work = new TaskFaultInjector({ faults: deps.faults ?? NO_FAULTS, taskOf });
  const scalable = (resourceId: string): Service | undefined =>
    [...services.values()].find(({ clusterName, name }) => resourceId === `service/${clusterName}/${name}`);
  const killAll = () => {
    for (const service of services.values()) {
      service.killAll();
    }
  };
  process.once('exit', killAll);
  const publisher = new ServiceMetrics(clock, () => services.values(), deps.metrics);
  return {
    handlers: [
      clusterHandler(clusters),
      associationsHandler(clusters),
      new TaskDefinitionHandler(definitions, images),
      new ServiceHandler({
        services,
        clusters,
        definitions,
        clock,
        host,
        zoneOf: deps.zoneOf ?? (() => undefined),
        onDeleted: (service) => {
          past.push(...service.taskViews());
          past.splice(0, past.length - MAX_DELETED_SERVICE_TASKS);
        },
        onEvent: deps.onEvent ?? (() => undefined),
      }),
    ],
    scalable: {
      desiredCount: (resourceId) => scalable(resourceId)?.desiredCount,
      scaleTo: (resourceId, count) => scalable(resourceId)?.scaleTo(count),
      deploying: (resourceId) => scalable(resourceId)?.deploying === true,
    },
    registerImage: (asset) => images.register(asset),
    services: () => [...services.values()].map(({ view }) => view),
    tasks: () => [...past, ...[...services.values()].flatMap((service) => service.taskViews())],
    taskDefinitions: () => definitions.views(),
    unreachable: ({ session }, signingName) => {
      const task = session === undefined ? undefined : taskOf(session);
      const service = ENDPOINT_NAMES[signingName] ?? signingName;
      return task === undefined ? undefined : deps.unreachable?.(task.place, service);
    },
    observe: (service, call, output) => work.observe(service, call, output),
    kill: (id) =>
      withTask(id, (task) => {
        task.kill();
        return true;
      }),
    stopTask: (id, reason = 'Task stopped by user') =>
      withTask(id, (task) => {
        void task.stop({ code: 'UserInitiated', reason });
        return true;
      }),
    reclaim: (id) =>
      withTask(id, (task) => {
        if (task.props.capacityProvider !== 'FARGATE_SPOT') {
          return false;
        }
        task.reclaim();
        return true;
      }),
    freeze: (id, realMs) =>
      withTask(id, (task) => {
        task.freeze(realMs);
        return true;
      }),
    stop: async () => {
      publisher.stop();
      const living = [...services.values()].flatMap((service) => service.livingTasks());
      killAll();
      await Promise.all(living.map(({ allExited }) => allExited));
      process.off('exit', killAll);
    },
  };
}
