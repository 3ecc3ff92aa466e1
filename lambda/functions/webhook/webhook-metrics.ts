import { Dimension, WebhookMetric } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { emitMetrics, type MetricSink, standardOutput } from '../../shared/telemetry/emf';

/** Counts what becomes of webhooks. */
export class WebhookMetrics {
  constructor(
    private readonly agent: string,
    private readonly clock: Clock,
    private readonly sink: MetricSink = standardOutput,
  ) {}

  delivered(): void {
    this.count(WebhookMetric.DELIVERED);
  }

  failed(): void {
    this.count(WebhookMetric.FAILED);
  }

  abandoned(): void {
    this.count(WebhookMetric.ABANDONED);
  }

  private count(name: string): void {
    emitMetrics(
      {
        timestamp: this.clock.now(),
        dimensions: { [Dimension.AGENT]: this.agent },
        dimensionSets: [[Dimension.AGENT]],
        metrics: [{ name, value: 1, unit: 'Count' }],
      },
      this.sink,
    );
  }
}
