import {
  DIMENSION_SETS,
  Dimension,
  FLAG_DIMENSIONS,
  flagDimension,
  IntakeMetric,
  type LaneName,
  TaskMetric,
  type TaskRecord,
} from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { emitMetrics, type MetricSink, standardOutput } from '../../shared/telemetry/emf';

/** Counts what callers do with their tasks. */
export class ApiMetrics {
  constructor(
    private readonly agent: string,
    private readonly clock: Clock,
    private readonly sink: MetricSink = standardOutput,
  ) {}

  cancelledInQueue(lane: LaneName): void {
    emitMetrics(
      {
        timestamp: this.clock.now(),
        dimensions: { [Dimension.AGENT]: this.agent, [Dimension.LANE]: lane },
        dimensionSets: [[Dimension.AGENT], [Dimension.AGENT, Dimension.LANE]],
        metrics: [{ name: IntakeMetric.CANCELLED, value: 1, unit: 'Count' }],
      },
      this.sink,
    );
  }

  /** A judgement counts for the release that ran the task and for the flags that it met, beside the score that the agent may have given itself. */
  judged({ id, lane, flags = {} }: TaskRecord, release: string, score: number): void {
    const timestamp = this.clock.now();
    emitMetrics(
      {
        timestamp,
        dimensions: { [Dimension.AGENT]: this.agent, [Dimension.LANE]: lane, [Dimension.RELEASE]: release },
        dimensionSets: DIMENSION_SETS,
        properties: { task: id },
        metrics: [{ name: TaskMetric.QUALITY, value: score, unit: 'None' }],
      },
      this.sink,
    );
    for (const [name, value] of Object.entries(flags)) {
      emitMetrics(
        {
          timestamp,
          dimensions: { [Dimension.AGENT]: this.agent, [Dimension.FLAG]: flagDimension(name, value) },
          dimensionSets: [FLAG_DIMENSIONS],
          properties: { task: id },
          metrics: [{ name: TaskMetric.QUALITY, value: score, unit: 'None' }],
        },
        this.sink,
      );
    }
    emitMetrics(
      {
        timestamp,
        dimensions: { [Dimension.AGENT]: this.agent },
        dimensionSets: [[Dimension.AGENT]],
        metrics: [{ name: IntakeMetric.FEEDBACK, value: 1, unit: 'Count' }],
      },
      this.sink,
    );
  }
}
