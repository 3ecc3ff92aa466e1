import { AgentProtocolErrorCode, MIN_REAL_STOP_MS, type Priority } from '../../../lib/contract';
import type { WorkerHealth } from '../../../lib/contract/agent-protocol';
import { RetryableError } from '../../runtime/errors';
import { documentClient } from '../../shared/aws/clients/dynamodb';
import { sqsClient } from '../../shared/aws/clients/sqs';
import { type Clock, scaleTimeout, stopwatch, systemClock } from '../../shared/clock';
import { LaneOwnershipMonitor } from '../../shared/routing/lane-ownership';
import { RoutingRepository } from '../../shared/routing/routing-repository';
import { createLogger, type Log } from '../../shared/telemetry/logger';
import { Tracer } from '../../shared/telemetry/tracing';
import type { CreatedTaskProcessor } from '../../worker/create-task-processor';
import { leaseTimes } from '../../worker/lease/lease-times';
import { isProbe } from '../../worker/message/parse-message';
import type { WorkerSettings } from '../../worker/settings';
import type { ContainerAgent } from './container-agent';
import { ContainerExit, type ContainerExitCode } from './exit-codes';
import { LanePoller, type LanePollerDeps } from './lane-poller';
import { LaneQueueClient } from './lane-queue-client';
import { LocalServer } from './local-server';
import type { ContainerSettings } from './settings';
import { TaskProtection } from './task-protection';
import { TraceSegmentSender } from './trace-segment-sender';

/**
 * Reserved at the end of the stop timeout to requeue tasks: calls for the lease, the journal and the queue take a second or two
 * each on a slow network. Milliseconds of the cloud's time, with a minimum in real ones.
 */
const REQUEUE_MS = { limit: 15_000, leastReal: 1_000 } as const;

/** Share of that reserve for exiting before ECS kills the container. */
const EXIT_RESERVE_SHARE = 0.2;

/** How long a worker that cannot run tasks waits for the preflight's probe, to report the reason. */
const MAX_PROBE_WAIT = { limit: 120_000, leastReal: 20_000 } as const;

/** Such a worker hides other messages for this many milliseconds, for a worker that can run them. */
const REFUSED_HIDE_MS = 30_000;

/** Time without a successful poll, with free slots, after which the container counts as unhealthy. */
const STALE_POLL_MS = { limit: 5 * 60_000, leastReal: 10_000 } as const;

/** Request timeout of polls in real milliseconds: a long poll takes up to 20 seconds. */
const POLL_TIMEOUT_MS = 30_000;

const PROBES_ONLY: readonly Priority[] = ['high'];

export interface WorkerContainerDeps {
  readonly settings: WorkerSettings & ContainerSettings;
  readonly agent: ContainerAgent;
  readonly environment?: NodeJS.ProcessEnv;
  readonly clock?: Clock;
  /** From 0 up to 1. @default Math.random */
  readonly random?: () => number;
}

/** A worker in a container, from start to exit. index.ts describes its life cycle. */
export class WorkerContainer {
  readonly #deps: Required<WorkerContainerDeps>;
  readonly #logger: Log;
  readonly #messages: LaneQueueClient;
  readonly #protection: TaskProtection;
  readonly #traces: TraceSegmentSender;
  readonly #laneOwnership: LaneOwnershipMonitor;
  readonly #stop = new AbortController();
  #state: WorkerHealth['state'] = 'starting';
  #problem: string | undefined;
  #poller: LanePoller | undefined;
  #pollingSince = 0;

  constructor({
    environment = process.env,
    clock = systemClock(environment),
    random = Math.random,
    ...deps
  }: WorkerContainerDeps) {
    const { settings } = deps;
    this.#deps = { ...deps, environment, clock, random };
    const { agent, release, lane } = settings;
    this.#logger = createLogger({ component: 'container', agent, release, lane }, clock);
    const times = leaseTimes(environment);
    const client = sqsClient();
    this.#messages = new LaneQueueClient({
      polls: sqsClient({ requestTimeout: POLL_TIMEOUT_MS, maxAttempts: 1 }),
      client,
      urls: settings.queues[lane],
      hiddenMs: times.leaseMs + times.visibilityBeyondLeaseMs,
    });
    this.#protection = new TaskProtection({ agentUri: environment.ECS_AGENT_URI, clock, logger: this.#logger });
    this.#laneOwnership = new LaneOwnershipMonitor({
      routing: new RoutingRepository(documentClient(), settings.controlTable),
      release,
      lane,
      clock,
      random,
      logger: this.#logger,
    });
    this.#traces = new TraceSegmentSender({ client, logger: this.#logger, environment });
  }

  /** Runs until it must stop or cannot continue. */
  async run(): Promise<ContainerExitCode> {
    const { settings, agent } = this.#deps;
    const server = await LocalServer.open({
      port: settings.workerPort,
      health: () => this.#health(),
      routes: agent.routes,
      logger: this.#logger,
    });
    try {
      const exit = await this.#runAgent();
      this.#logger.info('container stopped', { outcome: 'ended', exit });
      return exit;
    } finally {
      await this.#traces.flush();
      await server.close();
    }
  }

  /** Accepts no more tasks, and exits when the running ones are finished or requeued. */
  stop(): void {
    this.#stop.abort();
  }

  async #runAgent(): Promise<ContainerExitCode> {
    const { agent, settings, clock, environment } = this.#deps;
    const { signal } = this.#stop;
    const started = await agent.start(signal).catch((error: unknown) => {
      if (signal.aborted) {
        return undefined;
      }
      throw error;
    });
    if (started === undefined) {
      return ContainerExit.STOPPED;
    }
    const tracer = new Tracer(clock, environment, this.#traces.send);
    const worker = started.createProcessor({ settings, clock, tracer });
    if (started.problem !== undefined) {
      return this.#answerProbeOnly(worker, started.problem, ContainerExit.AGENT_UNHEALTHY);
    }
    const agentSettings = await worker.agentSettings();
    return agentSettings.ok
      ? this.#processTasks(worker)
      : this.#answerProbeOnly(worker, agentSettings.message, ContainerExit.WRONG_SETTINGS);
  }

  async #processTasks(worker: CreatedTaskProcessor): Promise<ContainerExitCode> {
    const { agent, settings, clock } = this.#deps;
    const poller = this.#createPoller(settings.concurrency, {
      process: (message, stop) => worker.process(message, this.#remainingMs(), stop),
    });
    const polling = poller.run();
    this.#state = 'polling';
    this.#pollingSince = clock.now();
    this.#logger.info('container started polling', { outcome: 'polling', concurrency: settings.concurrency });
    const ended = new AbortController();
    const unhealthy = agent.watch?.(ended.signal, ({ healthy }) =>
      healthy ? poller.resume('unhealthy') : poller.pause('unhealthy'),
    );
    void this.#laneOwnership.watch(ended.signal, (serving) =>
      serving ? poller.resume('retired') : poller.pause('retired'),
    );
    const cause = await Promise.race([
      whenAborted(this.#stop.signal).then(() => 'stop' as const),
      polling.then(() => 'stop' as const),
      ...(unhealthy === undefined
        ? []
        : [unhealthy.then((isUnhealthy) => (isUnhealthy ? ('unhealthy' as const) : never<'unhealthy'>()))]),
    ]);
    ended.abort();
    if (cause === 'unhealthy') {
      const state = agent.state;
      const message = `the agent's container was not healthy for too long: ${state?.healthy === false ? state.message : ''}`;
      this.#problem = message;
      this.#logger.error(message, { outcome: 'unhealthy', tasks: poller.running });
      // The attempt counts: a task that makes its agent hang must not be requeued never.
      poller.requeue(new RetryableError(message, { code: AgentProtocolErrorCode.AGENT_UNHEALTHY }));
    }
    const drained = await this.#drain(poller, polling);
    if (!drained) {
      return ContainerExit.NOT_DRAINED;
    }
    return cause === 'unhealthy' ? ContainerExit.AGENT_UNHEALTHY : ContainerExit.STOPPED;
  }

  /** Runs only a probe, which reports the problem to the preflight, and exits. */
  async #answerProbeOnly(
    worker: CreatedTaskProcessor,
    problem: string,
    exit: ContainerExitCode,
  ): Promise<ContainerExitCode> {
    const { settings, clock, environment } = this.#deps;
    this.#problem = problem;
    this.#logger.error(problem, { outcome: 'refused', exit });
    // Probes go to the candidate lane, which has no other tasks at that time.
    if (settings.lane !== 'candidate') {
      return exit;
    }
    const poller = this.#createPoller(1, {
      priorities: PROBES_ONLY,
      process: async (message, stop) => {
        if (!isProbe(message.body)) {
          await this.#messages.requeue('high', message, REFUSED_HIDE_MS);
          return 'leave';
        }
        const verdict = await worker.process(message, this.#remainingMs(), stop);
        if (verdict === 'delete') {
          poller.stop();
        }
        return verdict;
      },
    });
    const polling = poller.run();
    this.#state = 'unhealthy';
    const scaledTimeout = scaleTimeout(MAX_PROBE_WAIT.limit, MAX_PROBE_WAIT.leastReal, environment);
    await Promise.race([polling, clock.sleep(scaledTimeout, this.#stop.signal).catch(() => undefined)]);
    await this.#drain(poller, polling);
    return exit;
  }

  /** @returns whether all tasks are finished or requeued */
  async #drain(poller: LanePoller, polling: Promise<void>): Promise<boolean> {
    const { settings, agent, environment } = this.#deps;
    const total = scaleTimeout(settings.stopTimeoutSeconds * 1000, MIN_REAL_STOP_MS, environment);
    const reserve = Math.min(total / 3, scaleTimeout(REQUEUE_MS.limit, REQUEUE_MS.leastReal, environment));
    this.#state = 'draining';
    poller.stop();
    this.#logger.info('container is draining: it accepts no more tasks', {
      outcome: 'draining',
      tasks: poller.running,
      requeueInMs: Math.round(total - reserve),
    });
    const ended = polling.then(() => true);
    void agent.checkpoint?.(total - reserve);
    if (await Promise.race([ended, this.#after(total - reserve)])) {
      return true;
    }
    if (poller.running > 0) {
      this.#logger.warn('tasks did not end in time; they are requeued', {
        outcome: 'requeued',
        tasks: poller.running,
      });
    }
    poller.requeue();
    poller.abortPolls();
    if (await Promise.race([ended, this.#after(reserve * (1 - EXIT_RESERVE_SHARE))])) {
      return true;
    }
    this.#logger.error('tasks were neither finished nor requeued; their leases expire', {
      outcome: 'abandoned',
      tasks: poller.running,
    });
    return false;
  }

  async #after(milliseconds: number): Promise<false> {
    await this.#deps.clock.sleep(milliseconds);
    return false;
  }

  #createPoller(slots: number, deps: Pick<LanePollerDeps, 'process' | 'priorities'>): LanePoller {
    const { settings, clock, random } = this.#deps;
    this.#poller = new LanePoller({
      messages: this.#messages,
      shares: settings.shares,
      slots,
      protection: this.#protection,
      clock,
      random,
      logger: this.#logger,
      ...deps,
    });
    return this.#poller;
  }

  /** Counts down the worker's timeout for one claim, in real milliseconds. */
  #remainingMs(): () => number {
    const elapsed = stopwatch();
    return () => Math.max(0, this.#deps.settings.timeoutSeconds * 1000 - elapsed());
  }

  #health(): { readonly healthy: boolean; readonly health: WorkerHealth } {
    const { agent } = this.#deps;
    const { state: agentState } = agent;
    const { running = 0, lastPollAt } = this.#poller ?? {};
    const problem =
      this.#problem ?? (this.#isStale(running, lastPollAt) ? 'no recent poll of SQS succeeded' : undefined);
    const healthy =
      this.#state === 'draining' ||
      (this.#state === 'polling' && problem === undefined && agentState?.healthy !== false);
    return {
      healthy,
      health: {
        state: this.#state,
        tasks: running,
        ...(agentState && { agent: agentState }),
        ...(lastPollAt === undefined ? {} : { lastPollAt: new Date(lastPollAt).toISOString() }),
        ...(problem === undefined ? {} : { message: problem }),
      },
    };
  }

  /** A worker with running tasks or a paused one may have no reason to poll. */
  #isStale(running: number, lastPollAt = this.#pollingSince): boolean {
    const { clock, environment } = this.#deps;
    const scaledTimeout = scaleTimeout(STALE_POLL_MS.limit, STALE_POLL_MS.leastReal, environment);
    return (
      this.#state === 'polling' &&
      running === 0 &&
      this.#poller?.isPaused === false &&
      clock.now() - lastPollAt > scaledTimeout
    );
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
