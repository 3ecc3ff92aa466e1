import { WorkerMetric } from '../../../lib/contract';
import type { RehearsalCloud, TaskView } from '../../cloud';
import type { WorkersHistory } from '../report/history';
import type { Progress } from '../report/progress';
import type { AgentUnderTest } from '../scenario/agent-under-test';
import type { Scenario } from '../scenario/scenario';
import { sumOf } from './observed-metrics';
import type { OperatorAccess } from './operator-access';
import { until } from './wait';

export interface ContainerWorkersDeps {
  readonly cloud: RehearsalCloud;
  readonly agent: AgentUnderTest;
  readonly access: OperatorAccess;
  readonly scenario: Scenario;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** When the first deployment started. */
  readonly since: number;
}

/** Maximum wait for a lane without workers: cloud time, with a minimum in real time. */
const IDLE_CLOUD_MS = 40 * 60_000;
const IDLE_REAL_MS = 30_000;

/** Maximum wait for a busy worker to stop, in real milliseconds. */
const BUSY_WORKER_MS = 30_000;

/** Workers in containers: waits for them, stops them, and records their history. */
export class ContainerWorkers {
  #loadFrom: number | undefined;
  #idleAt: number | undefined;
  #stopped = 0;
  #requeuedBefore = 0;

  readonly #deps: ContainerWorkersDeps;

  private constructor(deps: ContainerWorkersDeps) {
    this.#deps = deps;
  }

  /** Undefined when the workers of the agent are functions. */
  static of(deps: ContainerWorkersDeps): ContainerWorkers | undefined {
    return deps.cloud.services().length === 0 ? undefined : new ContainerWorkers(deps);
  }

  /** Before the load of a scaling scenario: waits until the service has removed its initial, idle worker. */
  async beforeLoad(): Promise<void> {
    const { scenario, progress, cloud } = this.#deps;
    if (scenario.scaling === undefined) {
      return;
    }
    progress.log('', `waiting until lane ${scenario.scaling.lane} is idle`);
    await this.#idle();
    this.#loadFrom = cloud.clock.now();
  }

  /** After all tasks have ended: waits until the lane of a scaling scenario has no worker. */
  async afterLoad(): Promise<void> {
    const { scenario, progress, cloud } = this.#deps;
    if (scenario.scaling === undefined) {
      return;
    }
    progress.log('', 'the traffic has ended');
    this.#idleAt = (await this.#idle()) ? cloud.clock.now() : undefined;
  }

  /** Stops busy workers, one after the other, as the scenario specifies. */
  async stopBusyWorkers(): Promise<void> {
    const { scenario, cloud, progress, signal } = this.#deps;
    if (scenario.workerStops === undefined) {
      return;
    }
    this.#requeuedBefore = await this.#count(WorkerMetric.REQUEUED);
    const stopped = new Set<string>();
    while (stopped.size < scenario.workerStops.count) {
      const next = (): TaskView | undefined => this.#busyWorkers().find(({ id }) => !stopped.has(id));
      await until(() => next() !== undefined, BUSY_WORKER_MS, signal);
      const worker = next();
      if (worker === undefined) {
        progress.log('', 'no busy worker to stop', 'failure');
        return;
      }
      stopped.add(worker.id);
      if (cloud.stopTask(worker.id)) {
        this.#stopped += 1;
        progress.log('', `worker ${worker.id.slice(0, 8)} of lane ${worker.lane} is stopped while it works`);
      }
      await cloud.clock.sleep(scenario.workerStops.intervalSeconds * 1000, signal);
    }
  }

  async history(): Promise<WorkersHistory> {
    const { cloud, scenario } = this.#deps;
    const { scaling, workerStops } = scenario;
    const lanes = new Map(cloud.services().map(({ name, lane }) => [name, lane]));
    return {
      runs: cloud.serviceTasks().map(({ id, lane = '', zone, createdAt, startedAt, stoppedAt, stopCode }) => ({
        id,
        lane,
        zone,
        createdAt,
        startedAt,
        stoppedAt,
        stopCode,
      })),
      scalings: cloud
        .scalingActivities()
        .map(({ resourceId, ...change }) => ({ lane: lanes.get(resourceId.split('/').at(-1) ?? '') ?? '', ...change })),
      requeued: await this.#count(WorkerMetric.REQUEUED),
      abandoned: await this.#count(WorkerMetric.ABANDONED),
      late: await this.#count(WorkerMetric.LATE),
      ...(scaling === undefined
        ? {}
        : { scaling: { ...scaling, loadFrom: this.#loadFrom ?? cloud.clock.now(), idleAt: this.#idleAt } }),
      ...(workerStops === undefined
        ? {}
        : { workerStops: { ...workerStops, stopped: this.#stopped, requeuedBefore: this.#requeuedBefore } }),
    };
  }

  /** @returns whether the lane has no worker and a desired count of zero */
  async #idle(): Promise<boolean> {
    const { cloud, scenario, signal } = this.#deps;
    const isIdle = () =>
      cloud
        .services()
        .filter(({ lane }) => lane === scenario.scaling?.lane)
        .every(({ desired, running, pending }) => desired + running + pending === 0);
    await until(isIdle, Math.max(IDLE_REAL_MS, IDLE_CLOUD_MS / cloud.clock.speed), signal);
    return isIdle();
  }

  /** A busy worker protects its task from scale-in. */
  #busyWorkers(): readonly TaskView[] {
    return this.#deps.cloud
      .serviceTasks()
      .filter((task) => task.protected && task.status === 'RUNNING' && task.desiredStatus === 'RUNNING');
  }

  async #count(metric: string): Promise<number> {
    const { access, agent, cloud, since } = this.#deps;
    return (await sumOf(metric, access, agent.name, since, cloud.clock.now())) ?? 0;
  }
}
