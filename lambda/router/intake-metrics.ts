import { Dimension, IntakeMetric, type LaneName } from '../../lib/contract';
import type { Clock } from '../common/clock';
import { emitMetrics, type MetricSink, standardOutput } from '../common/emf';

/** Counts what intake accepts and refuses. */
export class IntakeMetrics {
  constructor(
    private readonly agent: string,
    private readonly clock: Clock,
    private readonly sink: MetricSink = standardOutput,
  ) {}

  accepted(lane: LaneName): void {
    emitMetrics(
      {
        timestamp: this.clock.now(),
        dimensions: { [Dimension.AGENT]: this.agent, [Dimension.LANE]: lane },
        dimensionSets: [[Dimension.AGENT], [Dimension.AGENT, Dimension.LANE]],
        metrics: [{ name: IntakeMetric.ACCEPTED, value: 1, unit: 'Count' }],
      },
      this.sink,
    );
  }

  /** A refused request has no lane: most are refused before one is chosen. */
  refused(): void {
    emitMetrics(
      {
        timestamp: this.clock.now(),
        dimensions: { [Dimension.AGENT]: this.agent },
        dimensionSets: [[Dimension.AGENT]],
        metrics: [{ name: IntakeMetric.REFUSED, value: 1, unit: 'Count' }],
      },
      this.sink,
    );
  }
}
