import {
  DIMENSION_SETS,
  Dimension,
  FLAG_DIMENSIONS,
  type FlagValue,
  flagDimension,
  ModelMetric,
  type TaskError,
  TaskErrorCode,
  TaskMetric,
  type TaskRecord,
  type TaskStatus,
  type Usage,
  WorkerMetric,
} from '../../lib/contract';
import type { ModelCallStats } from '../runtime/model/model-call-stats';
import type { Clock } from '../shared/clock';
import { emitMetrics, type MetricSink, type MetricValue } from '../shared/telemetry/emf';

type EventMetric = (typeof WorkerMetric)[keyof typeof WorkerMetric] | (typeof ModelMetric)[keyof typeof ModelMetric];

/** What the metrics need of a task's final state. */
export interface MeasuredState {
  readonly status: TaskStatus;
  readonly error?: TaskError;
  readonly usage: Usage;
  readonly score?: number;
  /** Flags that the task read. */
  readonly flags?: Readonly<Record<string, FlagValue>>;
  /** Failed after its last attempt. */
  readonly exhausted?: boolean;
}

/** Emits the metrics of tasks, in the dimension sets of the contract only. Probes emit none. */
export class TaskMetrics {
  readonly #worker: { readonly agent: string; readonly release: string };
  readonly #clock: Clock;
  readonly #sink: MetricSink | undefined;

  /** @param sink @default standard output */
  constructor(worker: { readonly agent: string; readonly release: string }, clock: Clock, sink?: MetricSink) {
    this.#worker = worker;
    this.#clock = clock;
    this.#sink = sink;
  }

  /** Metrics of a finished task. @param durationMs of its last attempt; undefined if it was finished without one */
  finished(task: TaskRecord, end: MeasuredState, durationMs: number | undefined): void {
    const { status, usage, score } = end;
    const queueWaitMs = (task.startedAt ?? task.createdAt) - task.createdAt;
    const metrics: readonly MetricValue[] = [
      count(TaskMetric.FINISHED, 1),
      count(TaskMetric.SUCCEEDED, status === 'succeeded' ? 1 : 0),
      count(TaskMetric.FAILED, status === 'failed' || status === 'timed_out' ? 1 : 0),
      count(TaskMetric.ABORTED, status === 'timed_out' || end.error?.code === TaskErrorCode.LIMIT_EXCEEDED ? 1 : 0),
      ...(durationMs === undefined
        ? []
        : [{ name: TaskMetric.DURATION, value: durationMs, unit: 'Milliseconds' } as const]),
      { name: TaskMetric.QUEUE_WAIT, value: Math.max(0, queueWaitMs), unit: 'Milliseconds' },
      { name: TaskMetric.COST, value: usage.cost, unit: 'None' },
      count(TaskMetric.TOOL_CALLS, usage.toolCalls),
      count(TaskMetric.INPUT_TOKENS, usage.inputTokens),
      count(TaskMetric.OUTPUT_TOKENS, usage.outputTokens),
      ...(score === undefined ? [] : [{ name: TaskMetric.QUALITY, value: score, unit: 'None' } as const]),
    ];
    this.#emit(task, { status }, metrics);
    this.#emitByFlag(task, end.flags ?? {}, metrics);
    if (end.exhausted === true) {
      this.count(task, WorkerMetric.EXHAUSTED);
    }
  }

  /** Counts journal entries that an attempt replayed. */
  replayed(task: TaskRecord, steps: number): void {
    if (steps > 0) {
      this.count(task, WorkerMetric.REPLAYED_STEPS, steps);
    }
  }

  /** Counts fallbacks and opened circuit breakers of an attempt. */
  models(task: TaskRecord, { fallbacks, breakersOpened }: ModelCallStats): void {
    if (fallbacks > 0) {
      this.count(task, ModelMetric.FALLBACK, fallbacks);
    }
    if (breakersOpened > 0) {
      this.count(task, ModelMetric.CIRCUIT_OPENED, breakersOpened);
    }
  }

  /** Counts one event of a task. */
  count(task: TaskRecord, metric: EventMetric, value = 1): void {
    this.#emit(task, {}, [count(metric, value)]);
  }

  /** Emits the metrics once more per flag that the task read, to compare variants. */
  #emitByFlag(task: TaskRecord, flags: Readonly<Record<string, FlagValue>>, metrics: readonly MetricValue[]): void {
    if (task.mode === 'probe') {
      return;
    }
    for (const [name, value] of Object.entries(flags)) {
      emitMetrics(
        {
          timestamp: this.#clock.now(),
          dimensions: { [Dimension.AGENT]: this.#worker.agent, [Dimension.FLAG]: flagDimension(name, value) },
          dimensionSets: [FLAG_DIMENSIONS],
          properties: { task: task.id },
          metrics,
        },
        this.#sink,
      );
    }
  }

  #emit(task: TaskRecord, properties: Readonly<Record<string, string>>, metrics: readonly MetricValue[]): void {
    if (task.mode === 'probe') {
      return;
    }
    const { agent, release } = this.#worker;
    emitMetrics(
      {
        timestamp: this.#clock.now(),
        dimensions: { [Dimension.AGENT]: agent, [Dimension.LANE]: task.lane, [Dimension.RELEASE]: release },
        dimensionSets: DIMENSION_SETS,
        properties: { task: task.id, ...properties },
        metrics,
      },
      this.#sink,
    );
  }
}

function count(name: string, value: number): MetricValue {
  return { name, value, unit: 'Count' };
}
