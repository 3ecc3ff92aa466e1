import { AgentProtocolErrorCode, MIN_REAL_STOP_MS, type Priority } from '../../../lib/contract';
import type { WorkerHealth } from '../../../lib/contract/agent-protocol';
import { RetryableError } from '../../runtime/errors';
import { documentClient } from '../../shared/aws/clients/dynamodb';
import { sqsClient } from '../../shared/aws/clients/sqs';
import { type Clock, scaleTimeout, stopwatch, systemClock } from '../../shared/clock';
import { LaneOwnershipMonitor } from '../../shared/routing/lane-ownership';
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
 * Kept back of the stop timeout to hand tasks back: the lease, the journal and the queue are told, each in a second or
 * two where the network is slow. Milliseconds of the cloud's time, and real ones at least.
 */
const REQUEUE_MS = { limit: 15_000, leastReal: 1_000 } as const;

/** Kept back of that to end without being killed. */
const LAST_WORDS_SHARE = 0.2;

/** A worker that can run nothing waits so long for the preflight's probe, to tell it why. */
const REFUSING_MS = { limit: 120_000, leastReal: 20_000 } as const;

/** Messages that are no probe come back so much later, for a worker that can run them. */
const REFUSED_HIDE_MS = 30_000;

/** No poll for so long while slots are free, and the container counts as unhealthy. */
const STALE_POLL_MS = { limit: 5 * 60_000, leastReal: 10_000 } as const;

/** Real milliseconds for a long poll of 20 seconds and its way. */
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

/** One life of a worker in a container. What happens in it stands at the top of index.ts. */
export class WorkerContainer {
  readonly #deps: Required<WorkerContainerDeps>;
  readonly #logger: Log;
  readonly #messages: LaneQueueClient;
  readonly #protection: TaskProtection;
  readonly #traces: TraceSegmentSender;
  readonly #succession: LaneOwnershipMonitor;
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
    this.#succession = new LaneOwnershipMonitor({
      client: documentClient(),
      table: settings.controlTable,
      release,
      lane,
      clock,
      random,
      logger: this.#logger,
    });
    this.#traces = new TraceSegmentSender({ client, logger: this.#logger, environment });
  }

  /** Lives until it is told to stop, or cannot go on. */
  async run(): Promise<ContainerExitCode> {
    const { settings, agent } = this.#deps;
    const server = await LocalServer.open({
      port: settings.workerPort,
      health: () => this.#health(),
      routes: agent.routes,
      logger: this.#logger,
    });
    try {
      const exit = await this.#live();
      this.#logger.info('the container ends', { outcome: 'ended', exit });
      return exit;
    } finally {
      await this.#traces.flush();
      await server.close();
    }
  }

  /** Takes no more tasks, and ends when those that run have come to an end or were handed back. */
  stop(): void {
    this.#stop.abort();
  }

  async #live(): Promise<ContainerExitCode> {
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
      return this.#refuse(worker, started.problem, ContainerExit.AGENT_UNHEALTHY);
    }
    const agentSettings = await worker.agentSettings();
    return agentSettings.ok
      ? this.#work(worker)
      : this.#refuse(worker, agentSettings.message, ContainerExit.WRONG_SETTINGS);
  }

  async #work(worker: CreatedTaskProcessor): Promise<ContainerExitCode> {
    const { agent, settings, clock } = this.#deps;
    const poller = this.#pollerWith(settings.concurrency, {
      process: (message, stop) => worker.process(message, this.#remaining(), stop),
    });
    const polling = poller.run();
    this.#state = 'polling';
    this.#pollingSince = clock.now();
    this.#logger.info('the container takes tasks', { outcome: 'polling', concurrency: settings.concurrency });
    const ended = new AbortController();
    const unwell = agent.watch?.(ended.signal, ({ healthy }) =>
      healthy ? poller.resume('unwell') : poller.pause('unwell'),
    );
    void this.#succession.watch(ended.signal, (serving) =>
      serving ? poller.resume('retired') : poller.pause('retired'),
    );
    const cause = await Promise.race([
      aborted(this.#stop.signal).then(() => 'stop' as const),
      polling.then(() => 'stop' as const),
      ...(unwell === undefined ? [] : [unwell.then((given) => (given ? ('unwell' as const) : forever<'unwell'>()))]),
    ]);
    ended.abort();
    if (cause === 'unwell') {
      const state = agent.state;
      const message = `the agent's container was not healthy for too long: ${state?.healthy === false ? state.message : ''}`;
      this.#problem = message;
      this.#logger.error(message, { outcome: 'unhealthy', tasks: poller.running });
      // Counts as an attempt: a task that makes its agent hang must not be handed on for ever.
      poller.requeue(new RetryableError(message, { code: AgentProtocolErrorCode.AGENT_UNHEALTHY }));
    }
    const drained = await this.#drain(poller, polling);
    if (!drained) {
      return ContainerExit.NOT_DRAINED;
    }
    return cause === 'unwell' ? ContainerExit.AGENT_UNHEALTHY : ContainerExit.STOPPED;
  }

  /** Runs nothing but a probe, so that the preflight hears what is wrong, and ends. */
  async #refuse(worker: CreatedTaskProcessor, problem: string, exit: ContainerExitCode): Promise<ContainerExitCode> {
    const { settings, clock, environment } = this.#deps;
    this.#problem = problem;
    this.#logger.error(problem, { outcome: 'refused', exit });
    // Probes go to the candidate lane, and that lane has no other tasks then.
    if (settings.lane !== 'candidate') {
      return exit;
    }
    const poller = this.#pollerWith(1, {
      priorities: PROBES_ONLY,
      process: async (message, stop) => {
        if (!isProbe(message.body)) {
          await this.#messages.requeue('high', message, REFUSED_HIDE_MS);
          return 'leave';
        }
        const verdict = await worker.process(message, this.#remaining(), stop);
        if (verdict === 'delete') {
          poller.stop();
        }
        return verdict;
      },
    });
    const polling = poller.run();
    this.#state = 'unhealthy';
    const scaledTimeout = scaleTimeout(REFUSING_MS.limit, REFUSING_MS.leastReal, environment);
    await Promise.race([polling, clock.sleep(scaledTimeout, this.#stop.signal).catch(() => undefined)]);
    await this.#drain(poller, polling);
    return exit;
  }

  /** @returns whether nothing is under way any more */
  async #drain(poller: LanePoller, polling: Promise<void>): Promise<boolean> {
    const { settings, agent, environment } = this.#deps;
    const total = scaleTimeout(settings.stopTimeoutSeconds * 1000, MIN_REAL_STOP_MS, environment);
    const reserve = Math.min(total / 3, scaleTimeout(REQUEUE_MS.limit, REQUEUE_MS.leastReal, environment));
    this.#state = 'draining';
    poller.stop();
    this.#logger.info('the container takes no more tasks', {
      outcome: 'draining',
      tasks: poller.running,
      handBackInMs: Math.round(total - reserve),
    });
    const ended = polling.then(() => true);
    void agent.checkpoint?.(total - reserve);
    if (await Promise.race([ended, this.#after(total - reserve)])) {
      return true;
    }
    if (poller.running > 0) {
      this.#logger.warn('tasks did not end in time, they are handed back', {
        outcome: 'requeued',
        tasks: poller.running,
      });
    }
    poller.requeue();
    poller.abortPolls();
    if (await Promise.race([ended, this.#after(reserve * (1 - LAST_WORDS_SHARE))])) {
      return true;
    }
    this.#logger.error('tasks were neither ended nor handed back, their leases run out', {
      outcome: 'abandoned',
      tasks: poller.running,
    });
    return false;
  }

  async #after(milliseconds: number): Promise<false> {
    await this.#deps.clock.sleep(milliseconds);
    return false;
  }

  #pollerWith(slots: number, deps: Pick<LanePollerDeps, 'process' | 'priorities'>): LanePoller {
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

  /** Real milliseconds that are left of the time that a worker has for one claim. */
  #remaining(): () => number {
    const elapsed = stopwatch();
    return () => Math.max(0, this.#deps.settings.timeoutSeconds * 1000 - elapsed());
  }

  #health(): { readonly fit: boolean; readonly health: WorkerHealth } {
    const { agent } = this.#deps;
    const { state: agentState } = agent;
    const { running = 0, lastPollAt } = this.#poller ?? {};
    const problem =
      this.#problem ?? (this.#isStale(running, lastPollAt) ? 'no poll of SQS has succeeded of late' : undefined);
    const fit =
      this.#state === 'draining' ||
      (this.#state === 'polling' && problem === undefined && agentState?.healthy !== false);
    return {
      fit,
      health: {
        state: this.#state,
        tasks: running,
        ...(agentState && { agent: agentState }),
        ...(lastPollAt === undefined ? {} : { lastPollAt: new Date(lastPollAt).toISOString() }),
        ...(problem === undefined ? {} : { message: problem }),
      },
    };
  }

  /** A worker at work may have no reason to poll, and one that takes no tasks for now has none. */
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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function forever<T>(): Promise<T> {
  return new Promise(() => {});
}
