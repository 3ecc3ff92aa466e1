import { availableParallelism } from 'node:os';
import type { RehearsalClock, Timer } from '../../core/clock';
import { ContainerProcess } from './container-process';
import type { HealthCheck, HealthStatus } from './model';

/**
 * Minimum real milliseconds between two checks, before and after a container is healthy. Otherwise a machine with a dozen
 * containers would spend most of its time on starting check programs.
 */
const MIN_REAL_INTERVAL_MS = { starting: 1_000, healthy: 10_000 } as const;

/** Minimum real milliseconds that a check may take: on a busy machine most of it is the start of the program. */
const MIN_REAL_TIMEOUT_MS = 5_000;

/** Limits the checks of all containers that run in parallel: each is a program. */
class ConcurrencyLimit {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  async acquire(): Promise<void> {
    if (this.#running >= availableParallelism()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
  }

  release(): void {
    this.#running -= 1;
    this.#waiting.shift()?.();
  }
}

const HEALTH_CHECKS = new ConcurrencyLimit();

export interface HealthMonitorProps {
  readonly check: HealthCheck;
  readonly clock: RehearsalClock;
  /** Argument vector of the check. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly onChange: (status: HealthStatus) => void;
}

/**
 * A container's health check: its command runs as a process with the container's environment. The first success makes it
 * healthy; `retries` consecutive failures, without those of the start period, make it unhealthy.
 *
 * Intervals and timeouts count in cloud time with a minimum in real time, as each check starts a process.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
 */
export class HealthMonitor {
  readonly #props: HealthMonitorProps;
  #current: HealthStatus = 'UNKNOWN';
  #failures = 0;
  #timer: Timer | undefined;
  #stopped = false;
  #endCheck: (() => void) | undefined;
  readonly #startedAt: number;

  constructor(props: HealthMonitorProps) {
    this.#props = props;
    this.#startedAt = props.clock.now();
    this.#schedule();
  }

  get status(): HealthStatus {
    return this.#current;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#endCheck?.();
  }

  #schedule(): void {
    const { check, clock } = this.#props;
    const least = MIN_REAL_INTERVAL_MS[this.#current === 'HEALTHY' ? 'healthy' : 'starting'] * clock.speed;
    this.#timer = clock.after(Math.max(check.intervalSeconds * 1000, least), () => void this.#check());
  }

  async #check(): Promise<void> {
    await HEALTH_CHECKS.acquire();
    let passed = false;
    try {
      passed = !this.#stopped && (await this.#run());
    } finally {
      HEALTH_CHECKS.release();
    }
    if (!this.#stopped) {
      this.#recordResult(passed);
      this.#schedule();
    }
  }

  #recordResult(passed: boolean): void {
    const { check, clock } = this.#props;
    if (passed) {
      this.#failures = 0;
      this.#set('HEALTHY');
      return;
    }
    const starting = this.#current !== 'HEALTHY' && clock.now() - this.#startedAt < check.startPeriodSeconds * 1000;
    this.#failures += starting ? 0 : 1;
    if (this.#failures >= check.retries) {
      this.#set('UNHEALTHY');
    }
  }

  #set(status: HealthStatus): void {
    if (this.#current !== status) {
      this.#current = status;
      this.#props.onChange(status);
    }
  }

  /** Runs the command once; true when it exits with 0 in time. */
  #run(): Promise<boolean> {
    const { check, clock, argv, cwd, environment } = this.#props;
    return new Promise((resolve) => {
      const timeoutMs = Math.max((check.timeoutSeconds * 1000) / clock.speed, MIN_REAL_TIMEOUT_MS);
      const program = new ContainerProcess({
        launch: { argv, cwd },
        environment,
        onLine: () => undefined,
        onExit: ({ code }) => {
          clearTimeout(timer);
          this.#endCheck = undefined;
          resolve(code === 0);
        },
      });
      const timer = setTimeout(() => program.kill(), timeoutMs);
      this.#endCheck = () => program.kill();
    });
  }
}
