import { WorkerMetric } from '../../../lib/contract';
import type { RehearsalCloud, TaskView } from '../../cloud';
import type { WorkersHistory } from '../report/history';
import type { Progress } from '../report/progress';
import type { AgentUnderTest } from '../scenario/agent-under-test';
import type { Scenario } from '../scenario/scenario';
import { sumOf } from './observed-metrics';
import type { OperatorAccess } from './operator-access';
import { until } from './wait';

export interface ContainerWorkersProps {
  readonly cloud: RehearsalCloud;
  readonly agent: AgentUnderTest;
  readonly access: OperatorAccess;
  readonly scenario: Scenario;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** When the first deployment started. */
  readonly since: number;
}

/** Longest wait for a lane to have no worker left: cloud time, and at least so much real time. */
const IDLE_CLOUD_MS = 40 * 60_000;
const IDLE_REAL_MS = 30_000;

/** Longest wait for a worker at work, to be told to stop. Real milliseconds. */
const AT_WORK_MS = 30_000;

/** Workers that run in containers: waits for them, stops them, and writes down what became of them. */
export class ContainerWorkers {
  #loadFrom: number | undefined;
  #idleAt: number | undefined;
  #stopped = 0;
  #requeuedBefore = 0;

  readonly #props: ContainerWorkersProps;

  private constructor(props: ContainerWorkersProps) {
    this.#props = props;
  }

  /** Undefined when the workers of the agent are functions. */
  static of(props: ContainerWorkersProps): ContainerWorkers | undefined {
    return props.cloud.services().length === 0 ? undefined : new ContainerWorkers(props);
  }

  /** Before the load of a scenario that is about scaling: a new service starts with one worker, and nobody needs it. */
  async beforeLoad(): Promise<void> {
    const { scenario, progress, cloud } = this.#props;
    if (scenario.scaling === undefined) {
      return;
    }
    progress.log('', `waiting until lane ${scenario.scaling.lane} is idle`);
    await this.#idle();
    this.#loadFrom = cloud.clock.now();
  }

  /** When all tasks have ended. */
  async afterLoad(): Promise<void> {
    const { scenario, progress, cloud } = this.#props;
    if (scenario.scaling === undefined) {
      return;
    }
    progress.log('', 'the traffic has ended');
    this.#idleAt = (await this.#idle()) ? cloud.clock.now() : undefined;
  }

  /** Tells workers at work to stop, one after the other, as the scenario says. */
  async stopBusyWorkers(): Promise<void> {
    const { scenario, cloud, progress, signal } = this.#props;
    if (scenario.workerStops === undefined) {
      return;
    }
    this.#requeuedBefore = await this.#count(WorkerMetric.REQUEUED);
    const stopped = new Set<string>();
    while (stopped.size < scenario.workerStops.count) {
      const next = (): TaskView | undefined => this.#atWork().find(({ id }) => !stopped.has(id));
      await until(() => next() !== undefined, AT_WORK_MS, signal);
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
    const { cloud, scenario } = this.#props;
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

  /** @returns whether the lane has no worker and wants none */
  async #idle(): Promise<boolean> {
    const { cloud, scenario, signal } = this.#props;
    const isIdle = () =>
      cloud
        .services()
        .filter(({ lane }) => lane === scenario.scaling?.lane)
        .every(({ desired, running, pending }) => desired + running + pending === 0);
    await until(isIdle, Math.max(IDLE_REAL_MS, IDLE_CLOUD_MS / cloud.clock.speed), signal);
    return isIdle();
  }

  /** A worker protects itself while it is at work. */
  #atWork(): readonly TaskView[] {
    return this.#props.cloud
      .serviceTasks()
      .filter((task) => task.protected && task.status === 'RUNNING' && task.desiredStatus === 'RUNNING');
  }

  async #count(metric: string): Promise<number> {
    const { access, agent, cloud, since } = this.#props;
    return (await sumOf(metric, access, agent.name, since, cloud.clock.now())) ?? 0;
  }
}
