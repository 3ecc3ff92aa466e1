import { availableParallelism } from 'node:os';
import { LinkedList, type ListNode } from '../../core/linked-list';
import { RoundRobinQueue } from '../../core/round-robin-queue';
import type { ExecutionEnvironment, InvocationOutcome } from './execution-environment';
import type { FunctionVersion } from './model';
import type { Invocation } from './protocol';

export interface EnvironmentJob {
  readonly version: FunctionVersion;
  readonly invocation: Omit<Invocation, 'kind' | 'deadline'>;
  /** Event source mapping that asks, if any: sources that wait for the same version are served round robin. */
  readonly source?: string;
  /** Called when an environment takes the job. */
  onStart?(environment: ExecutionEnvironment, cold: boolean): void;
}

export interface FleetProps {
  /** Starts an environment. `onEnd` must be called once, when its process has exited. */
  readonly boot: (version: FunctionVersion, onEnd: () => void) => ExecutionEnvironment;
  /** Processes alive at a time, over all functions. */
  readonly maxEnvironments: number;
  /** Real milliseconds after which an idle environment is ended. */
  readonly idleMs: number;
  /**
   * Environments that load their handler at the same time: more only makes all of them slow.
   * @default one for each processor
   */
  readonly maxBooting?: number;
}

export interface EnvironmentView {
  readonly id: string;
  readonly functionName: string;
  readonly version: string;
  readonly state: 'booting' | 'idle' | 'busy';
  readonly processId: number | undefined;
  readonly requestId: string | undefined;
  /** Invocations that it has run or is running. */
  readonly invocations: number;
}

/** Minimum and maximum real milliseconds that a job waits for an environment of its version before another one starts. */
const MIN_QUEUE_WAIT_MS = 50;
const MAX_QUEUE_WAIT_MS = 1000;
/** Assumed duration of a version's start until one is measured. Real milliseconds. */
const ASSUMED_BOOT_MS = 200;
/** Real milliseconds that an environment must have been idle to make room for one more of another version. */
const EVICTABLE_AFTER_MS = 1000;
/** Real milliseconds until a version that found no free place is checked again. */
const RECHECK_MS = 250;

interface WaitingJob {
  readonly job: EnvironmentJob;
  readonly since: number;
  readonly resolve: (outcome: InvocationOutcome) => void;
  readonly arrival: ListNode<number>;
}

interface PoolMember {
  readonly environment: ExecutionEnvironment;
  readonly pool: Pool;
  state: 'booting' | 'idle' | 'busy';
  invocations: number;
  idleSince: number;
}

interface Pool {
  readonly version: FunctionVersion;
  readonly members: Set<PoolMember>;
  /** Used last, last: that one is warmest and taken first. */
  readonly idle: PoolMember[];
  readonly waiting: RoundRobinQueue<WaitingJob>;
  /** Arrival times of the waiting jobs, oldest first: they are served in another order. */
  readonly arrivals: LinkedList<number>;
  /** Real milliseconds that the last start took. */
  bootMs: number;
  /** Moving average of the real milliseconds of an invocation; undefined before the first has ended. */
  meanMs: number | undefined;
  booting: number;
  retired: boolean;
}

/**
 * The execution environments of all functions. A job takes an idle environment of its version; if there is none, it
 * waits for the first that becomes free. Another one starts when a job has waited for as long as a start takes and the
 * existing environments will not finish the waiting jobs in that time: Lambda starts one at once, but on this machine a start
 * takes processor time from running invocations. At the limit of environments, an idle one of another version is replaced,
 * or a busy one after its invocation if the waiting version has none or far fewer.
 */
export class Fleet {
  readonly #props: FleetProps;
  readonly #pools = new Map<FunctionVersion, Pool>();
  readonly #maxBooting: number;
  readonly #reaper: NodeJS.Timeout;
  #recheckTimer: NodeJS.Timeout | undefined;
  #alive = 0;
  #booting = 0;
  #stopped = false;

  constructor(props: FleetProps) {
    this.#props = props;
    this.#maxBooting = props.maxBooting ?? availableParallelism();
    this.#reaper = setInterval(() => this.#reap(), Math.max(1000, props.idleMs / 4));
    this.#reaper.unref();
  }

  /** Runs the job as soon as there is an environment for it. Never rejects. */
  run(job: EnvironmentJob): Promise<InvocationOutcome> {
    if (this.#stopped) {
      return Promise.resolve(stoppedOutcome('the rehearsal has stopped'));
    }
    const pool = this.#poolOf(job.version);
    return new Promise((resolve) => {
      const since = performance.now();
      pool.waiting.add(job.source, { job, since, resolve, arrival: pool.arrivals.push(since) });
      this.#schedule();
    });
  }

  environments(): readonly EnvironmentView[] {
    return [...this.#pools.values()].flatMap((pool) =>
      [...pool.members].map(({ environment, state, invocations }) => ({
        id: environment.id,
        functionName: pool.version.functionName,
        version: pool.version.version,
        state,
        processId: environment.processId,
        requestId: environment.busyWith,
        invocations,
      })),
    );
  }

  /** Ends the environment as a crash would. False if there is none with this id. */
  kill(id: string): boolean {
    for (const pool of this.#pools.values()) {
      for (const { environment } of pool.members) {
        if (environment.id === id) {
          environment.kill('Error: Runtime exited with error: signal: killed');
          return true;
        }
      }
    }
    return false;
  }

  /** This version gets no more jobs: idle environments end now, busy ones after their invocation. */
  retire(version: FunctionVersion): void {
    const pool = this.#pools.get(version);
    if (pool !== undefined) {
      pool.retired = true;
      for (const member of [...pool.idle]) {
        this.#end(member);
      }
      this.#removeIfEmpty(pool);
      this.#schedule();
    }
  }

  /** Ends every environment and resolves when their processes have exited. Waiting jobs fail. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#reaper);
    clearTimeout(this.#recheckTimer);
    for (const pool of this.#pools.values()) {
      for (let waiting = takeJob(pool); waiting !== undefined; waiting = takeJob(pool)) {
        waiting.resolve(stoppedOutcome('the rehearsal has stopped'));
      }
    }
    this.killAll();
    while (this.#alive > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }

  /** Kills every process without waiting, when the process of the rehearsal exits. */
  killAll(): void {
    for (const pool of this.#pools.values()) {
      for (const { environment } of pool.members) {
        environment.kill('Error: the rehearsal has stopped');
      }
    }
  }

  #onEmpty: (() => void) | undefined;

  #poolOf(version: FunctionVersion): Pool {
    let pool = this.#pools.get(version);
    if (pool === undefined) {
      pool = {
        version,
        members: new Set(),
        idle: [],
        waiting: new RoundRobinQueue(),
        arrivals: new LinkedList(),
        bootMs: ASSUMED_BOOT_MS,
        meanMs: undefined,
        booting: 0,
        retired: false,
      };
      this.#pools.set(version, pool);
    }
    return pool;
  }

  #schedule(): void {
    for (const pool of this.#pools.values()) {
      for (let member = this.#takeIdle(pool); member !== undefined; member = this.#takeIdle(pool)) {
        this.#assign(pool, member);
      }
    }
    this.#bootForWaiting();
  }

  #takeIdle(pool: Pool): PoolMember | undefined {
    return pool.waiting.size > 0 ? pool.idle.pop() : undefined;
  }

  #bootForWaiting(): void {
    const now = performance.now();
    // One at a time for each, so that a burst on one function leaves starts for the others.
    const needy = [...this.#pools.values()].filter((pool) => pool.waiting.size > 0 && pool.booting === 0);
    needy.sort((a, b) => (a.arrivals.first ?? now) - (b.arrivals.first ?? now));
    let recheckAt = Number.POSITIVE_INFINITY;
    for (const pool of needy) {
      const due = scaleOutAt(pool);
      if (due > now) {
        recheckAt = Math.min(recheckAt, due);
      } else if (this.#booting < this.#maxBooting && !this.#drainsSoon(pool, now)) {
        if (this.#makeRoom(pool)) {
          this.#boot(pool);
        } else {
          recheckAt = Math.min(recheckAt, now + RECHECK_MS);
        }
      } else {
        recheckAt = Math.min(recheckAt, now + RECHECK_MS);
      }
    }
    this.#recheckAt(recheckAt);
  }

  /** Whether the existing environments will finish the waiting jobs before another one would help. */
  #drainsSoon(pool: Pool, now: number): boolean {
    if (pool.members.size === 0 || pool.meanMs === undefined) {
      return false;
    }
    const waited = now - (pool.arrivals.first ?? now);
    return waited < MAX_QUEUE_WAIT_MS && (pool.waiting.size * pool.meanMs) / pool.members.size < queueWaitMs(pool);
  }

  #recheckAt(time: number): void {
    clearTimeout(this.#recheckTimer);
    if (Number.isFinite(time)) {
      this.#recheckTimer = setTimeout(() => this.#schedule(), Math.max(1, time - performance.now()));
      this.#recheckTimer.unref();
    }
  }

  /** Whether one more environment may be started for the version, after ending the one that was idle longest if need be. */
  #makeRoom(needy: Pool): boolean {
    if (this.#alive < this.#props.maxEnvironments) {
      return true;
    }
    // A version without any environment must get one; others do not take what will soon be needed again.
    const urgent = needy.members.size === 0;
    const limit = performance.now() - EVICTABLE_AFTER_MS;
    let oldest: PoolMember | undefined;
    for (const pool of this.#pools.values()) {
      const [candidate] = pool.idle;
      const evictable = urgent || ((candidate?.idleSince ?? 0) < limit && pool.members.size > 1);
      if (candidate !== undefined && evictable && (oldest === undefined || candidate.idleSince < oldest.idleSince)) {
        oldest = candidate;
      }
    }
    if (oldest === undefined) {
      return false;
    }
    this.#end(oldest);
    return true;
  }

  #boot(pool: Pool): void {
    this.#alive += 1;
    this.#booting += 1;
    pool.booting += 1;
    let counted = true;
    const booted = () => {
      if (counted) {
        counted = false;
        this.#booting -= 1;
        pool.booting -= 1;
      }
    };
    const environment = this.#props.boot(pool.version, () => {
      booted();
      this.#onExit(member);
    });
    const member: PoolMember = { environment, pool, state: 'booting', invocations: 0, idleSince: 0 };
    pool.members.add(member);
    void environment.ready.then((error) => {
      booted();
      pool.bootMs = environment.bootMs;
      if (error === undefined) {
        this.#release(member);
        return;
      }
      // Lambda answers the invocation that it started the environment for with the error of the start.
      environment.kill('setup failed');
      const waiting = takeJob(pool);
      if (waiting !== undefined) {
        waiting.job.onStart?.(environment, true);
        waiting.resolve({ payload: error, failed: true, durationMs: 0, maxMemoryMiB: 0, environmentLost: true });
      }
      this.#schedule();
    });
  }

  #assign(pool: Pool, member: PoolMember): void {
    const waiting = takeJob(pool);
    if (waiting === undefined) {
      pool.idle.push(member);
      return;
    }
    member.state = 'busy';
    member.invocations += 1;
    const { job, resolve } = waiting;
    job.onStart?.(member.environment, member.invocations === 1);
    void member.environment.run(job.invocation, job.version.settings.timeoutSeconds).then((outcome) => {
      resolve(outcome);
      pool.meanMs = pool.meanMs === undefined ? outcome.durationMs : 0.8 * pool.meanMs + 0.2 * outcome.durationMs;
      if (outcome.environmentLost) {
        return;
      }
      this.#release(member);
    });
  }

  /** The environment is free: for its own version's next job, unless another version has waited too long. */
  #release(member: PoolMember): void {
    const { pool, environment } = member;
    if (!environment.alive) {
      return;
    }
    if (pool.retired && pool.waiting.size === 0) {
      this.#end(member);
      this.#schedule();
      return;
    }
    // One that was started just now serves its own version first, or two versions could take the place from each other for ever.
    const starving = member.invocations > 0 || pool.waiting.size === 0 ? this.#starving(pool) : undefined;
    if (starving !== undefined) {
      this.#end(member);
      this.#boot(starving);
      this.#schedule();
      return;
    }
    member.state = 'idle';
    member.idleSince = performance.now();
    pool.idle.push(member);
    this.#schedule();
  }

  /** The version that has waited longest for an environment which it can get only from another version's busy ones. */
  #starving(own: Pool): Pool | undefined {
    if (this.#alive < this.#props.maxEnvironments) {
      return undefined;
    }
    const now = performance.now();
    let found: Pool | undefined;
    for (const pool of this.#pools.values()) {
      if (pool.idle.length > 0) {
        // An idle environment of that pool can be replaced.
        return undefined;
      }
      // Not between two pools of about the same size: they would exchange environments forever.
      const behind = pool.members.size === 0 || pool.members.size + 1 < own.members.size;
      const since = pool.arrivals.first;
      if (pool === own || !behind || pool.booting > 0 || since === undefined || now < since + MIN_QUEUE_WAIT_MS) {
        continue;
      }
      found = found === undefined || since < (found.arrivals.first ?? now) ? pool : found;
    }
    return found;
  }

  /** Takes the environment out of service. Its place is free from now on; the process follows. */
  #end(member: PoolMember): void {
    this.#remove(member);
    member.environment.kill('Error: the environment was ended');
  }

  /** The process has ended, by itself or not. */
  #onExit(member: PoolMember): void {
    if (this.#remove(member) && !this.#stopped) {
      this.#schedule();
    }
  }

  /** False for one that was removed before. */
  #remove(member: PoolMember): boolean {
    const { pool } = member;
    if (!pool.members.delete(member)) {
      return false;
    }
    this.#alive -= 1;
    if (this.#alive === 0) {
      this.#onEmpty?.();
    }
    const index = pool.idle.indexOf(member);
    if (index >= 0) {
      pool.idle.splice(index, 1);
    }
    this.#removeIfEmpty(pool);
    return true;
  }

  #removeIfEmpty(pool: Pool): void {
    if (pool.members.size === 0 && pool.waiting.size === 0) {
      this.#pools.delete(pool.version);
    }
  }

  #reap(): void {
    const limit = performance.now() - this.#props.idleMs;
    for (const pool of this.#pools.values()) {
      for (const member of pool.idle.filter((idle) => idle.idleSince < limit)) {
        this.#end(member);
      }
    }
  }
}

function takeJob(pool: Pool): WaitingJob | undefined {
  const waiting = pool.waiting.take();
  if (waiting !== undefined) {
    pool.arrivals.remove(waiting.arrival);
  }
  return waiting;
}

/** When the pool's oldest job will have waited long enough for one more environment to be started. */
function scaleOutAt(pool: Pool): number {
  return pool.members.size === 0 ? 0 : (pool.arrivals.first ?? Number.POSITIVE_INFINITY) + queueWaitMs(pool);
}

function queueWaitMs(pool: Pool): number {
  return Math.min(MAX_QUEUE_WAIT_MS, Math.max(MIN_QUEUE_WAIT_MS, pool.bootMs));
}

function stoppedOutcome(reason: string): InvocationOutcome {
  const payload = JSON.stringify({ errorType: 'Runtime.ExitError', errorMessage: `Error: ${reason}` });
  return { payload, failed: true, durationMs: 0, maxMemoryMiB: 0, environmentLost: true };
}
