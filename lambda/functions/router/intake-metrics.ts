import { BudgetMetric, Dimension, IntakeMetric, type LaneName } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { emitMetrics, type MetricSink, standardOutput } from '../../shared/telemetry/emf';

/** Counts what intake accepts and refuses. */
export class IntakeMetrics {
  constructor(
    private readonly agent: string,
    private readonly clock: Clock,
    private readonly sink: MetricSink = standardOutput,
  ) {}

  accepted(lane: LaneName): void {
    this.count(IntakeMetric.ACCEPTED, lane);
  }

  /** A refused request has no lane: most are refused before one is chosen. */
  refused(): void {
    this.count(IntakeMetric.REFUSED);
  }

  /** Beside being refused: it was for what waits in the lane. */
  shed(lane: LaneName): void {
    this.count(IntakeMetric.SHED, lane);
  }

  /** Not let in for a budget that is used up. */
  overBudget(): void {
    this.count(BudgetMetric.EXCEEDED);
  }

  private count(name: string, lane?: LaneName): void {
    emitMetrics(
      {
        timestamp: this.clock.now(),
        dimensions: { [Dimension.AGENT]: this.agent, ...(lane === undefined ? {} : { [Dimension.LANE]: lane }) },
        dimensionSets: [[Dimension.AGENT], ...(lane === undefined ? [] : [[Dimension.AGENT, Dimension.LANE]])],
        metrics: [{ name, value: 1, unit: 'Count' }],
      },
      this.sink,
    );
  }
}
