import { availableParallelism } from 'node:os';
import { FairLine } from '../../core/fair-line';
import type { ExecutionEnvironment, Outcome } from './execution-environment';
import type { FunctionVersion } from './functions';
import type { Invocation } from './protocol';

export interface Job {
  readonly version: FunctionVersion;
  readonly invocation: Omit<Invocation, 'kind' | 'deadline'>;
  /** Who asks (an event source mapping, or nobody in particular): sources that wait for the same version take turns. */
  readonly source?: string;
  /** Called when an environment takes the job. */
  onStart?(environment: ExecutionEnvironment, cold: boolean): void;
}

export interface FleetProps {
  /** Starts an environment. `onEnd` must be called once, when its process is gone. */
  readonly boot: (version: FunctionVersion, onEnd: () => void) => ExecutionEnvironment;
  /** Processes alive at a time, over all functions. */
  readonly maxEnvironments: number;
  /** Real milliseconds after which an idle environment is ended. */
  readonly idleMs: number;
  /**
   * Environments that load their handler at the same time: more only makes all of them slow.
   * @default two for each processor
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

/** Real milliseconds that a job of another version may wait before it gets the next environment that becomes free. */
const PATIENCE_MS = 150;

interface WaitingJob {
  readonly job: Job;
  readonly since: number;
  readonly resolve: (outcome: Outcome) => void;
}

interface Member {
  readonly environment: ExecutionEnvironment;
  readonly pool: Pool;
  state: 'booting' | 'idle' | 'busy';
  invocations: number;
  idleSince: number;
}

interface Pool {
  readonly version: FunctionVersion;
  readonly members: Set<Member>;
  /** Used last, last: that one is warmest and taken first. */
  readonly idle: Member[];
  readonly waiting: FairLine<WaitingJob>;
  /** When the pool last got a job while none was waiting, or gave one out. */
  waitingSince: number;
  booting: number;
  retired: boolean;
}

/**
 * The execution environments of all functions. A job takes an idle environment of its version; if there is none it waits
 * for the first that becomes free, and meanwhile one is started for it, up to the limit. At the limit an idle environment
 * of another version makes room.
 */
export class Fleet {
  private readonly pools = new Map<FunctionVersion, Pool>();
  private readonly maxBooting: number;
  private readonly reaper: NodeJS.Timeout;
  private alive = 0;
  private booting = 0;
  private stopped = false;

  constructor(private readonly props: FleetProps) {
    this.maxBooting = props.maxBooting ?? 2 * availableParallelism();
    this.reaper = setInterval(() => this.reap(), Math.max(1000, props.idleMs / 4));
    this.reaper.unref();
  }

  /** Runs the job as soon as there is an environment for it. Never rejects. */
  run(job: Job): Promise<Outcome> {
    if (this.stopped) {
      return Promise.resolve(lost('the rehearsal has stopped'));
    }
    const pool = this.poolOf(job.version);
    return new Promise((resolve) => {
      const since = performance.now();
      if (pool.waiting.size === 0) {
        pool.waitingSince = since;
      }
      pool.waiting.add(job.source, { job, since, resolve });
      this.schedule();
    });
  }

  environments(): readonly EnvironmentView[] {
    return [...this.pools.values()].flatMap((pool) =>
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

  /** Ends the environment as a crash would. False when there is none of that id. */
  kill(id: string): boolean {
    for (const pool of this.pools.values()) {
      for (const { environment } of pool.members) {
        if (environment.id === id) {
          environment.kill('Error: Runtime exited with error: signal: killed');
          return true;
        }
      }
    }
    return false;
  }

  /** No more jobs will come for this version: idle environments end now, busy ones when they are done. */
  retire(version: FunctionVersion): void {
    const pool = this.pools.get(version);
    if (pool !== undefined) {
      pool.retired = true;
      for (const member of pool.idle.splice(0)) {
        this.end(member);
      }
      this.forgetIfEmpty(pool);
    }
  }

  /** Ends every environment and resolves when their processes are gone. Jobs that wait end as failed. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.reaper);
    for (const pool of this.pools.values()) {
      for (let waiting = pool.waiting.take(); waiting !== undefined; waiting = pool.waiting.take()) {
        waiting.resolve(lost('the rehearsal has stopped'));
      }
    }
    this.killAll();
    while (this.alive > 0) {
      await new Promise<void>((resolve) => {
        this.onEmpty = resolve;
      });
    }
  }

  /** Ends every process without waiting: all that can be done when the rehearsal's own process exits. */
  killAll(): void {
    for (const pool of this.pools.values()) {
      for (const { environment } of pool.members) {
        environment.kill('Error: the rehearsal has stopped');
      }
    }
  }

  private onEmpty: (() => void) | undefined;

  private poolOf(version: FunctionVersion): Pool {
    let pool = this.pools.get(version);
    if (pool === undefined) {
      pool = {
        version,
        members: new Set(),
        idle: [],
        waiting: new FairLine(),
        waitingSince: 0,
        booting: 0,
        retired: false,
      };
      this.pools.set(version, pool);
    }
    return pool;
  }

  private schedule(): void {
    for (const pool of this.pools.values()) {
      for (let member = this.next(pool); member !== undefined; member = this.next(pool)) {
        this.give(pool, member);
      }
    }
    this.bootForWaiting();
  }

  private next(pool: Pool): Member | undefined {
    return pool.waiting.size > 0 ? pool.idle.pop() : undefined;
  }

  private bootForWaiting(): void {
    const needy = [...this.pools.values()].filter((pool) => pool.waiting.size > pool.booting);
    needy.sort((a, b) => a.waitingSince - b.waitingSince);
    // In turns, so that a burst on one function leaves starts for the others.
    let started = true;
    while (started) {
      started = false;
      for (const pool of needy) {
        if (pool.waiting.size > pool.booting && this.booting < this.maxBooting && this.makeRoom()) {
          this.boot(pool);
          started = true;
        }
      }
    }
  }

  /** Whether one more environment may be started, after ending the one that was idle longest if need be. */
  private makeRoom(): boolean {
    if (this.alive < this.props.maxEnvironments) {
      return true;
    }
    let oldest: Member | undefined;
    for (const pool of this.pools.values()) {
      const [candidate] = pool.idle;
      if (candidate !== undefined && (oldest === undefined || candidate.idleSince < oldest.idleSince)) {
        oldest = candidate;
      }
    }
    if (oldest === undefined) {
      return false;
    }
    oldest.pool.idle.shift();
    this.end(oldest);
    return true;
  }

  private boot(pool: Pool): void {
    this.alive += 1;
    this.booting += 1;
    pool.booting += 1;
    let counted = true;
    const booted = () => {
      if (counted) {
        counted = false;
        this.booting -= 1;
        pool.booting -= 1;
      }
    };
    const environment = this.props.boot(pool.version, () => {
      booted();
      this.gone(member);
    });
    const member: Member = { environment, pool, state: 'booting', invocations: 0, idleSince: 0 };
    pool.members.add(member);
    void environment.ready.then((error) => {
      booted();
      if (error === undefined) {
        this.release(member);
        return;
      }
      // Lambda answers the invocation that it started the environment for with the error of the start.
      environment.kill('setup failed');
      const waiting = pool.waiting.take();
      if (waiting !== undefined) {
        waiting.job.onStart?.(environment, true);
        waiting.resolve({ payload: error, failed: true, durationMs: 0, maxMemoryMiB: 0, environmentLost: true });
      }
      this.schedule();
    });
  }

  private give(pool: Pool, member: Member): void {
    const waiting = pool.waiting.take();
    if (waiting === undefined) {
      pool.idle.push(member);
      return;
    }
    pool.waitingSince = performance.now();
    member.state = 'busy';
    member.invocations += 1;
    const { job, resolve } = waiting;
    job.onStart?.(member.environment, member.invocations === 1);
    void member.environment.run(job.invocation, job.version.settings.timeoutSeconds).then((outcome) => {
      resolve(outcome);
      if (outcome.environmentLost) {
        return;
      }
      this.release(member);
    });
  }

  /** The environment is free: for its own version's next job, unless another version has waited too long. */
  private release(member: Member): void {
    const { pool, environment } = member;
    if (!environment.alive) {
      return;
    }
    if (pool.retired && pool.waiting.size === 0) {
      this.end(member);
      return;
    }
    // One that was started just now serves its own version first, or two versions could take the place from each other for ever.
    const starving = member.invocations > 0 || pool.waiting.size === 0 ? this.starving(pool) : undefined;
    if (starving !== undefined) {
      this.end(member, starving);
      return;
    }
    member.state = 'idle';
    member.idleSince = performance.now();
    pool.idle.push(member);
    this.schedule();
  }

  /** The version that has waited longest for an environment which it can get only from another version's busy ones. */
  private starving(own: Pool): Pool | undefined {
    if (this.alive < this.props.maxEnvironments) {
      return undefined;
    }
    const limit = performance.now() - PATIENCE_MS;
    let found: Pool | undefined;
    for (const pool of this.pools.values()) {
      if (pool.idle.length > 0) {
        // That one makes room.
        return undefined;
      }
      if (pool !== own && pool.booting === 0 && pool.waiting.size > 0 && pool.waitingSince < limit) {
        found = found === undefined || pool.waitingSince < found.waitingSince ? pool : found;
      }
    }
    return found;
  }

  /** Takes the environment out of service. Its place is free from now on, for `next` if given; the process follows. */
  private end(member: Member, next?: Pool): void {
    member.environment.kill('Error: the environment was ended');
    this.gone(member, next);
  }

  private gone(member: Member, next?: Pool): void {
    const { pool } = member;
    if (!pool.members.delete(member)) {
      return;
    }
    this.alive -= 1;
    const index = pool.idle.indexOf(member);
    if (index >= 0) {
      pool.idle.splice(index, 1);
    }
    this.forgetIfEmpty(pool);
    if (this.stopped) {
      if (this.alive === 0) {
        this.onEmpty?.();
      }
    } else {
      if (next !== undefined) {
        this.boot(next);
      }
      this.schedule();
    }
  }

  private forgetIfEmpty(pool: Pool): void {
    if (pool.members.size === 0 && pool.waiting.size === 0) {
      this.pools.delete(pool.version);
    }
  }

  private reap(): void {
    const limit = performance.now() - this.props.idleMs;
    for (const pool of this.pools.values()) {
      for (const member of pool.idle.filter((idle) => idle.idleSince < limit)) {
        this.end(member);
      }
    }
  }
}

function lost(reason: string): Outcome {
  const payload = JSON.stringify({ errorType: 'Runtime.ExitError', errorMessage: `Error: ${reason}` });
  return { payload, failed: true, durationMs: 0, maxMemoryMiB: 0, environmentLost: true };
}
