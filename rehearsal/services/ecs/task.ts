import { Env } from '../../../lib/contract';
import type { RehearsalClock, Timer } from '../../core/clock';
import type { NetworkPlacement } from '../ec2';
import { Container } from './container';
import { StartFailure } from './execution-role';
import { ImageError, type PreparedLaunch } from './images';
import {
  type CapacityProvider,
  type ContainerDefinition,
  type HealthStatus,
  type StopReason,
  type TaskDefinition,
  type TaskStatus,
  type TaskView,
  taskArn,
  type Zone,
} from './model';

/** What a task needs from the machine that it runs on: images, logs, credentials and endpoints. */
export interface TaskHost {
  /** Checks everything that can keep a task from starting. @throws StartFailure, ImageError */
  prepare(task: Task): Promise<ReadonlyMap<string, PreparedLaunch>>;
  /** Writes a line of a container to its log stream, and to CloudWatch if it is a metric. */
  log(task: Task, container: ContainerDefinition, line: string): void;
  /** Serves nothing more to the task. */
  release(task: Task): void;
}

export interface TaskProps {
  readonly id: string;
  readonly cluster: string;
  readonly service: string;
  /** Id of the deployment that it belongs to. */
  readonly deployment: string;
  readonly definition: TaskDefinition;
  readonly zone: Zone;
  readonly publicIp: boolean;
  readonly securityGroups: readonly string[];
  readonly capacityProvider: CapacityProvider;
  readonly clock: RehearsalClock;
  readonly host: TaskHost;
  /** Called when its status, health or protection has changed. */
  readonly onChange: (task: Task) => void;
}

/**
 * Cloud milliseconds from the decision to run a task until its containers start (finding a machine, attaching the network
 * interface, pulling the image). AWS publishes no figure, as it depends on the image; users report about half a minute for
 * small images.
 */
export const FARGATE_START_MS = 35_000;

/** Notice before a Spot task is stopped. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html */
const SPOT_NOTICE_MS = 120_000;

/** Cloud milliseconds that a dependency may take if its container sets no limit: the maximum on Fargate. */
const START_TIMEOUT_MS = 120_000;

/** A Fargate task of a service: its containers, in their order, from its start to its end. */
export class Task {
  readonly id: string;
  readonly arn: string;
  readonly containers: readonly Container[];
  readonly createdAt: number;
  #status: TaskStatus = 'PROVISIONING';
  #startedAt: number | undefined;
  #stoppingAt: number | undefined;
  #stoppedAt: number | undefined;
  #stopReason: StopReason | undefined;
  #protectedUntilMs: number | undefined;
  #protection: Timer | undefined;
  readonly #stopping = new AbortController();
  readonly #watchers = new Set<() => void>();
  #resolveStopped: () => void = () => undefined;
  /** Resolves when all its containers have exited. */
  readonly stopped = new Promise<void>((resolve) => {
    this.#resolveStopped = resolve;
  });

  constructor(readonly props: TaskProps) {
    const { id, cluster, definition, clock } = props;
    this.id = id;
    this.arn = taskArn(cluster, id);
    this.createdAt = clock.now();
    this.containers = definition.containers.map(
      (container) =>
        new Container({
          definition: container,
          clock,
          onLine: (line) => props.host.log(this, container, line),
          onChange: () => this.#onContainerChange(),
        }),
    );
  }

  /** Its network interface. */
  get place(): NetworkPlacement {
    const { zone, publicIp, securityGroups } = this.props;
    return { subnet: zone.subnet, publicIp, securityGroups };
  }

  get lastStatus(): TaskStatus {
    return this.#status;
  }

  /** Whether its desired status is RUNNING. */
  get shouldRun(): boolean {
    return this.#stopReason === undefined;
  }

  /** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html */
  get health(): HealthStatus {
    const checked = this.containers.filter(({ definition }) => definition.essential && definition.healthCheck);
    if (checked.some(({ health }) => health === 'UNHEALTHY')) {
      return 'UNHEALTHY';
    }
    return checked.length > 0 && checked.every(({ health }) => health === 'HEALTHY') ? 'HEALTHY' : 'UNKNOWN';
  }

  /** Running, and healthy if it has health checks. */
  get isHealthy(): boolean {
    return this.#status === 'RUNNING' && (this.health === 'HEALTHY' || !this.#hasChecks);
  }

  get isProtected(): boolean {
    return this.protectedUntil !== undefined;
  }

  /** Cloud milliseconds since 1970; undefined when the task is not protected. */
  get protectedUntil(): number | undefined {
    return this.#protectedUntilMs;
  }

  get view(): TaskView {
    const { service, definition, deployment, capacityProvider, zone } = this.props;
    return {
      id: this.id,
      arn: this.arn,
      service,
      lane: laneOf(definition),
      definition: definition.arn,
      deployment,
      capacityProvider,
      zone: zone.zone,
      status: this.#status,
      desiredStatus: this.shouldRun ? 'RUNNING' : 'STOPPED',
      health: this.health,
      protected: this.isProtected,
      protectedUntil: this.protectedUntil,
      createdAt: this.createdAt,
      startedAt: this.#startedAt,
      stoppingAt: this.#stoppingAt,
      stoppedAt: this.#stoppedAt,
      stopCode: this.#stopReason?.code,
      stoppedReason: this.#stopReason?.reason,
      containers: this.containers.map(({ view }) => view),
    };
  }

  /** Starts the task. Never rejects: a task that fails to start stops with the reason. */
  async start(): Promise<void> {
    const { clock, host } = this.props;
    const { signal } = this.#stopping;
    try {
      await clock.sleep(FARGATE_START_MS, signal);
      const launches = await host.prepare(this);
      signal.throwIfAborted();
      this.#set('PENDING');
      await Promise.all(
        this.containers.map(async (container) => {
          await this.#dependenciesOf(container);
          signal.throwIfAborted();
          const launch = launches.get(container.name);
          if (launch !== undefined) {
            container.start(launch, launch.environment, launch.healthArgv);
          }
        }),
      );
      if (this.shouldRun) {
        this.#startedAt = clock.now();
        this.#set('RUNNING');
      }
    } catch (error) {
      if (signal.aborted) {
        host.release(this);
        return;
      }
      const known = error instanceof StartFailure || error instanceof ImageError;
      const reason = error instanceof Error ? error.message : String(error);
      void this.stop({ code: 'TaskFailedToStart', reason: known ? reason : `fault of the rehearsal: ${reason}` });
    }
  }

  /**
   * Stops the task: each container after those that depend on it, with its stop timeout. Resolves when all have exited. A
   * task that is already stopping continues.
   *
   * @param maxMs cloud milliseconds after which everything is killed. @default the stop timeouts alone
   */
  async stop(reason: StopReason, maxMs?: number): Promise<void> {
    if (this.#stopReason !== undefined) {
      return this.stopped;
    }
    const { clock, host } = this.props;
    this.#stopReason = reason;
    this.#stoppingAt = clock.now();
    this.#stopping.abort(new Error(reason.reason));
    this.protect(undefined);
    this.#set('STOPPING');
    const last = maxMs === undefined ? undefined : clock.after(maxMs, () => this.kill());
    await Promise.all(
      this.containers.map(async (container) => {
        await Promise.all(this.#dependentsOf(container).map(({ exited }) => exited));
        await container.stop();
      }),
    );
    last?.cancel();
    this.#stoppedAt = clock.now();
    host.release(this);
    this.#set('STOPPED');
    this.#resolveStopped();
    return undefined;
  }

  /** Spot interruption: SIGTERM, and SIGKILL after at most two minutes. */
  reclaim(): void {
    void this.stop({ code: 'SpotInterruption', reason: 'Your Spot Task was interrupted.' }, SPOT_NOTICE_MS);
  }

  /** Resolves when none of its processes is left. */
  get allExited(): Promise<unknown> {
    return Promise.all(this.containers.map(({ exited }) => exited));
  }

  /** Kills all its processes at once, as in a crash. */
  kill(): void {
    for (const container of this.containers) {
      container.kill();
    }
  }

  /** Suspends the first process of each container for `realMs` real milliseconds. */
  freeze(realMs: number): void {
    for (const container of this.containers) {
      container.suspend();
    }
    setTimeout(() => {
      for (const container of this.containers) {
        container.resume();
      }
    }, realMs).unref();
  }

  /** @param untilMs cloud milliseconds since 1970; undefined ends the protection */
  protect(untilMs: number | undefined): void {
    const { clock, onChange } = this.props;
    if (untilMs === undefined && this.#protectedUntilMs === undefined) {
      return;
    }
    this.#protection?.cancel();
    this.#protectedUntilMs = untilMs;
    this.#protection =
      untilMs === undefined ? undefined : clock.after(untilMs - clock.now(), () => this.protect(undefined));
    onChange(this);
  }

  get #hasChecks(): boolean {
    return this.containers.some(({ definition }) => definition.essential && definition.healthCheck !== undefined);
  }

  /** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html */
  async #dependenciesOf({ definition }: Container): Promise<void> {
    const { clock } = this.props;
    const limitMs = (definition.startTimeoutSeconds ?? START_TIMEOUT_MS / 1000) * 1000;
    const over = new AbortController();
    const timeout = clock.sleep(limitMs, over.signal).then(
      () =>
        Promise.reject(
          new StartFailure(`dependencies of container ${definition.name} took more than ${limitMs / 1000} seconds`),
        ),
      () => undefined,
    );
    const satisfied = Promise.all(
      definition.dependsOn.map(({ container: name, condition }) => {
        const container = this.containers.find((one) => one.name === name);
        return this.#waitUntil(() => {
          if (container === undefined) {
            return true;
          }
          const { view } = container;
          if (condition === 'START') {
            return container.wasStarted;
          }
          if (condition === 'HEALTHY') {
            return view.health === 'HEALTHY';
          }
          if (condition === 'SUCCESS' && view.exitCode !== undefined && view.exitCode !== 0) {
            throw new StartFailure(
              `container ${name}, which ${definition.name} depends on, ended with ${view.exitCode}`,
            );
          }
          return view.state === 'STOPPED';
        });
      }),
    );
    try {
      await Promise.race([satisfied, timeout]);
    } finally {
      over.abort();
    }
  }

  #dependentsOf({ name }: Container): readonly Container[] {
    return this.containers.filter(({ definition }) => definition.dependsOn.some(({ container }) => container === name));
  }

  /** Resolves when the test passes; rejects when the task stops. */
  async #waitUntil(test: () => boolean): Promise<void> {
    while (!test()) {
      this.#stopping.signal.throwIfAborted();
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  #set(status: TaskStatus): void {
    this.#status = status;
    this.#notifyChange();
  }

  #notifyChange(): void {
    const waiting = [...this.#watchers];
    this.#watchers.clear();
    for (const resolve of waiting) {
      resolve();
    }
    this.props.onChange(this);
  }

  #onContainerChange(): void {
    const failed = this.containers.find(({ startError }) => startError !== undefined);
    const ended = this.containers.find(({ state, definition }) => state === 'STOPPED' && definition.essential);
    if (failed !== undefined && this.shouldRun) {
      const reason = `CannotStartContainerError: ${failed.name}: ${failed.startError}`;
      void this.stop({ code: 'TaskFailedToStart', reason });
    } else if (ended !== undefined && this.shouldRun) {
      void this.stop({ code: 'EssentialContainerExited', reason: 'Essential container in task exited' });
    } else {
      this.#notifyChange();
    }
  }
}

/** Lane that the containers poll, from their environment. */
export function laneOf(definition: TaskDefinition): string | undefined {
  return definition.containers.map(({ environment }) => environment[Env.LANE]).find((lane) => lane !== undefined);
}
