import {
  DIMENSION_SETS,
  Dimension,
  type LaneName,
  TaskMetric,
  type TaskStatus,
  type Usage,
  type WorkerMetric,
} from '../../lib/contract';
import { emitMetrics, type MetricSink, type MetricValue } from '../common/emf';

/** A task that reached its final status, as the metrics see it. */
export interface FinishedTask {
  readonly id: string;
  readonly agent: string;
  readonly lane: LaneName;
  readonly release: string;
  readonly status: TaskStatus;
  /** Timed out, or a limit exceeded. */
  readonly cutOff: boolean;
  /** Of the attempt that ended the task. Unknown for one that was ended without being run. */
  readonly durationMs: number | undefined;
  readonly queueWaitMs: number;
  readonly usage: Usage;
  readonly score: number | undefined;
  /** Milliseconds since 1970, cloud time. */
  readonly finishedAt: number;
}

/** Emits the task's metrics in the dimension sets of the contract and in no other. */
export function emitTaskMetrics(task: FinishedTask, sink?: MetricSink): void {
  const { agent, lane, release, status, usage } = task;
  const count = (name: string, value: number): MetricValue => ({ name, value, unit: 'Count' });
  emitMetrics(
    {
      timestamp: task.finishedAt,
      dimensions: { [Dimension.AGENT]: agent, [Dimension.LANE]: lane, [Dimension.RELEASE]: release },
      dimensionSets: DIMENSION_SETS,
      properties: { task: task.id, status },
      metrics: [
        count(TaskMetric.FINISHED, 1),
        count(TaskMetric.SUCCEEDED, status === 'succeeded' ? 1 : 0),
        count(TaskMetric.FAILED, status === 'failed' || status === 'timed_out' ? 1 : 0),
        count(TaskMetric.CUT_OFF, task.cutOff ? 1 : 0),
        ...(task.durationMs === undefined
          ? []
          : [{ name: TaskMetric.DURATION, value: task.durationMs, unit: 'Milliseconds' } as const]),
        { name: TaskMetric.QUEUE_WAIT, value: Math.max(0, task.queueWaitMs), unit: 'Milliseconds' },
        { name: TaskMetric.COST, value: usage.cost, unit: 'None' },
        count(TaskMetric.TOOL_CALLS, usage.toolCalls),
        count(TaskMetric.INPUT_TOKENS, usage.inputTokens),
        count(TaskMetric.OUTPUT_TOKENS, usage.outputTokens),
        ...(task.score === undefined ? [] : [{ name: TaskMetric.QUALITY, value: task.score, unit: 'None' } as const]),
      ],
    },
    sink,
  );
}

/** Something that happened to a task on its way, as the metrics see it. */
export interface WorkerEvent {
  readonly task: string;
  readonly agent: string;
  readonly lane: LaneName;
  readonly release: string;
  readonly metric: (typeof WorkerMetric)[keyof typeof WorkerMetric];
  /** @default 1 */
  readonly value?: number;
  /** Milliseconds since 1970, cloud time. */
  readonly at: number;
}

export function emitWorkerMetric(event: WorkerEvent, sink?: MetricSink): void {
  emitMetrics(
    {
      timestamp: event.at,
      dimensions: { [Dimension.AGENT]: event.agent, [Dimension.LANE]: event.lane, [Dimension.RELEASE]: event.release },
      dimensionSets: DIMENSION_SETS,
      properties: { task: event.task },
      metrics: [{ name: event.metric, value: event.value ?? 1, unit: 'Count' }],
    },
    sink,
  );
}
