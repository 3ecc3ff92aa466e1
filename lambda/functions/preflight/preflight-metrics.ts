import { Dimension, type LaneName, PreflightMetric } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { emitMetrics, type MetricSink, standardOutput } from '../../shared/telemetry/emf';

/** Tells the scaling of a lane that something came into its queue. */
export class PreflightMetrics {
  constructor(
    private readonly agent: string,
    private readonly clock: Clock,
    private readonly sink: MetricSink = standardOutput,
  ) {}

  probeSent(lane: LaneName): void {
    emitMetrics(
      {
        timestamp: this.clock.now(),
        dimensions: { [Dimension.AGENT]: this.agent, [Dimension.LANE]: lane },
        dimensionSets: [[Dimension.AGENT, Dimension.LANE]],
        metrics: [{ name: PreflightMetric.PROBES, value: 1, unit: 'Count' }],
      },
      this.sink,
    );
  }
}
