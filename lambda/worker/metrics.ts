import {
  DIMENSION_SETS,
  Dimension,
  type TaskError,
  TaskMetric,
  type TaskRecord,
  type TaskStatus,
  type Usage,
  WorkerMetric,
} from '../../lib/contract';
import type { Clock } from '../common/clock';
import { emitMetrics, type MetricSink, type MetricValue } from '../common/emf';

/** How a task ended, as the metrics see it. */
export interface MeasuredEnd {
  readonly status: TaskStatus;
  readonly error?: TaskError;
  readonly usage: Usage;
  readonly score?: number;
  /** Failed after its last attempt. */
  readonly exhausted?: boolean;
}

/** Emits the metrics of tasks in the dimension sets of the contract and in no other. Probes are not measured. */
export class TaskMetrics {
  /** @param sink @default standard output */
  constructor(
    private readonly worker: { readonly agent: string; readonly release: string },
    private readonly clock: Clock,
    private readonly sink?: MetricSink,
  ) {}

  /** A task reached its end. @param durationMs of the attempt that ended it; undefined if it ended without being run */
  finished(task: TaskRecord, end: MeasuredEnd, durationMs: number | undefined): void {
    const { status, usage, score } = end;
    const queueWaitMs = (task.startedAt ?? task.createdAt) - task.createdAt;
    this.#emit(task, { status }, [
      count(TaskMetric.FINISHED, 1),
      count(TaskMetric.SUCCEEDED, status === 'succeeded' ? 1 : 0),
      count(TaskMetric.FAILED, status === 'failed' || status === 'timed_out' ? 1 : 0),
      count(TaskMetric.CUT_OFF, status === 'timed_out' || end.error?.code === 'limit_exceeded' ? 1 : 0),
      ...(durationMs === undefined
        ? []
        : [{ name: TaskMetric.DURATION, value: durationMs, unit: 'Milliseconds' } as const]),
      { name: TaskMetric.QUEUE_WAIT, value: Math.max(0, queueWaitMs), unit: 'Milliseconds' },
      { name: TaskMetric.COST, value: usage.cost, unit: 'None' },
      count(TaskMetric.TOOL_CALLS, usage.toolCalls),
      count(TaskMetric.INPUT_TOKENS, usage.inputTokens),
      count(TaskMetric.OUTPUT_TOKENS, usage.outputTokens),
      ...(score === undefined ? [] : [{ name: TaskMetric.QUALITY, value: score, unit: 'None' } as const]),
    ]);
    if (end.exhausted === true) {
      this.count(task, WorkerMetric.EXHAUSTED);
    }
  }

  /** An attempt used so many entries of the journal instead of doing them again. */
  replayed(task: TaskRecord, steps: number): void {
    if (steps > 0) {
      this.count(task, WorkerMetric.REPLAYED_STEPS, steps);
    }
  }

  /** Something happened to the task on its way. */
  count(task: TaskRecord, metric: (typeof WorkerMetric)[keyof typeof WorkerMetric], value = 1): void {
    this.#emit(task, {}, [count(metric, value)]);
  }

  #emit(task: TaskRecord, properties: Readonly<Record<string, string>>, metrics: readonly MetricValue[]): void {
    if (task.mode === 'probe') {
      return;
    }
    const { agent, release } = this.worker;
    emitMetrics(
      {
        timestamp: this.clock.now(),
        dimensions: { [Dimension.AGENT]: agent, [Dimension.LANE]: task.lane, [Dimension.RELEASE]: release },
        dimensionSets: DIMENSION_SETS,
        properties: { task: task.id, ...properties },
        metrics,
      },
      this.sink,
    );
  }
}

function count(name: string, value: number): MetricValue {
  return { name, value, unit: 'Count' };
}
