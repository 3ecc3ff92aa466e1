import { readFileSync } from 'node:fs';
import type { RehearsalClock, Timer } from '../../core/clock';
import type { MetricsPort } from '../../core/ports';
import type { Service } from './ecs-service';
import type { Task } from './task';

const MINUTE_MS = 60_000;

/** Milliseconds into a cloud minute: late, so that little of the minute is missing, and safely before it ends. */
const REPORT_AT_MS = 50_000;

const MIB = 1_048_576;

interface Measure {
  /** Real milliseconds. */
  readonly at: number;
  readonly cpuSeconds: number;
}

/**
 * Publishes AWS/ECS metrics once in every cloud minute, with one value for each task that runs: so the number of samples is
 * the number of running tasks. Their values are what the processes really use of what the task is sold, as far as the
 * system reports them, else 0.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_utilization.html
 */
export class ServiceMetrics {
  readonly #clock: RehearsalClock;
  readonly #services: () => Iterable<Service>;
  readonly #metrics: MetricsPort;
  #timer: Timer | undefined;
  readonly #before = new WeakMap<Task, Measure>();

  constructor(clock: RehearsalClock, services: () => Iterable<Service>, metrics: MetricsPort) {
    this.#clock = clock;
    this.#services = services;
    this.#metrics = metrics;
    this.#plan();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #plan(): void {
    const intoMinute = this.#clock.now() % MINUTE_MS;
    const wait = intoMinute < REPORT_AT_MS ? REPORT_AT_MS - intoMinute : REPORT_AT_MS + MINUTE_MS - intoMinute;
    this.#timer = this.#clock.after(wait, () => {
      for (const service of this.#services()) {
        for (const task of service.livingTasks()) {
          if (task.lastStatus === 'RUNNING') {
            this.#report(service, task);
          }
        }
      }
      this.#plan();
    });
  }

  #report(service: Service, task: Task): void {
    const { cpu, memoryMiB } = task.props.definition;
    const usages = task.containers.flatMap(({ view }) => usageOf(view.processId) ?? []);
    const cpuSeconds = usages.reduce((sum, usage) => sum + usage.cpuSeconds, 0);
    const memory = usages.reduce((sum, usage) => sum + usage.memoryBytes, 0);
    const now = { at: performance.now(), cpuSeconds };
    const last = this.#before.get(task) ?? { at: now.at - 1000, cpuSeconds };
    this.#before.set(task, now);
    const share = ((cpuSeconds - last.cpuSeconds) * 1000) / Math.max(1, now.at - last.at) / (cpu / 1024);
    const cluster = { ClusterName: service.clusterName };
    for (const dimensions of [cluster, { ...cluster, ServiceName: service.name }]) {
      this.#metrics.put('AWS/ECS', 'CPUUtilization', dimensions, [share * 100], 'Percent');
      this.#metrics.put('AWS/ECS', 'MemoryUtilization', dimensions, [(memory / MIB / memoryMiB) * 100], 'Percent');
    }
  }
}

export interface Usage {
  /** Processor time since its start. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** Of Linux on the machines that Node.js runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** What a process itself has used, its children not counted; undefined if the system does not report it. */
export function usageOf(processId: number | undefined): Usage | undefined {
  try {
    // After the name of the program, which may hold anything but ends with the last parenthesis.
    const text = readFileSync(`/proc/${processId}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [user, system, pages] = [11, 12, 21].map((index) => Number(fields[index]));
    if (user === undefined || system === undefined || pages === undefined) {
      return undefined;
    }
    return { cpuSeconds: (user + system) / TICKS_PER_SECOND, memoryBytes: pages * PAGE_BYTES };
  } catch {
    return undefined;
  }
}
