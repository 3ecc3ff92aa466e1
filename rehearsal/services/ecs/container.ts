import { scaleTimeout } from '../../../lambda/shared/clock';
import { Env, MIN_REAL_STOP_MS } from '../../../lib/contract';
import type { RehearsalClock } from '../../core/clock';
import { ContainerProcess } from './container-process';
import { HealthMonitor } from './health-monitor';
import type { Launch } from './images';
import type { ContainerDefinition, ContainerView, HealthStatus } from './model';

export interface ContainerProps {
  readonly definition: ContainerDefinition;
  readonly clock: RehearsalClock;
  /** A line that it wrote. */
  readonly onLine: (line: string) => void;
  /** Called when its state or health has changed. */
  readonly onChange: () => void;
}

/** One container of a task, from before its process starts until it has exited. */
export class Container {
  readonly #props: ContainerProps;
  readonly name: string;
  readonly definition: ContainerDefinition;
  /** Why it could not be started. */
  startError: string | undefined;
  /** Cloud milliseconds since 1970. */
  startedAt: number | undefined;
  finishedAt: number | undefined;
  #process: ContainerProcess | undefined;
  #monitor: HealthMonitor | undefined;
  #exitCode: number | undefined;
  #ended = false;
  #resolveEnd: () => void = () => undefined;
  /** Resolves when its process has exited, or will never start. */
  readonly #end = new Promise<void>((resolve) => {
    this.#resolveEnd = resolve;
  });

  constructor(props: ContainerProps) {
    this.#props = props;
    this.definition = props.definition;
    this.name = props.definition.name;
  }

  get state(): ContainerView['state'] {
    if (this.#ended) {
      return 'STOPPED';
    }
    return this.#process === undefined ? 'PENDING' : 'RUNNING';
  }

  get health(): HealthStatus {
    return this.#monitor?.status ?? 'UNKNOWN';
  }

  /** Whether it was started, even if only for a moment. */
  get wasStarted(): boolean {
    return this.startedAt !== undefined;
  }

  get view(): ContainerView {
    return {
      name: this.name,
      state: this.state,
      health: this.health,
      processId: this.#process?.processId,
      exitCode: this.#exitCode,
    };
  }

  start(launch: Launch, environment: Readonly<Record<string, string>>, healthArgv: readonly string[]): void {
    if (this.#ended || this.#process !== undefined) {
      return;
    }
    const { clock } = this.#props;
    this.startedAt = clock.now();
    this.#process = new ContainerProcess({
      launch,
      environment,
      onLine: this.#props.onLine,
      onExit: ({ code, error }) => {
        this.#exitCode = code;
        this.startError = error;
        this.#markStopped();
      },
    });
    const { healthCheck } = this.definition;
    if (healthCheck !== undefined) {
      this.#monitor = new HealthMonitor({
        check: healthCheck,
        clock,
        argv: healthArgv,
        cwd: launch.cwd,
        environment,
        onChange: this.#props.onChange,
      });
    }
    this.#props.onChange();
  }

  /**
   * SIGTERM, and SIGKILL when the stop timeout is over. Resolves when its process has exited.
   *
   * @param maxMs maximum cloud milliseconds until it is killed. @default the stop timeout
   */
  async stop(maxMs = Number.POSITIVE_INFINITY): Promise<void> {
    const running = this.#process;
    if (running === undefined) {
      this.#markStopped();
      return;
    }
    this.#monitor?.stop();
    running.terminate();
    const timer = this.#props.clock.after(Math.min(maxMs, this.#stopMs()), () => running.kill());
    await this.#end;
    timer.cancel();
  }

  /** Ends it at once. */
  kill(): void {
    if (this.#process === undefined) {
      this.#markStopped();
    } else {
      this.#process.kill();
    }
  }

  suspend(): void {
    this.#process?.suspend();
  }

  resume(): void {
    this.#process?.resume();
  }

  /** Resolves when its process has exited. */
  get exited(): Promise<void> {
    return this.#end;
  }

  #stopMs(): number {
    const settings = { [Env.CLOCK]: JSON.stringify(this.#props.clock.settings()) };
    return scaleTimeout(this.definition.stopTimeoutSeconds * 1000, MIN_REAL_STOP_MS, settings);
  }

  #markStopped(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.finishedAt = this.#props.clock.now();
      this.#monitor?.stop();
      this.#resolveEnd();
      this.#props.onChange();
    }
  }
}
