import { DAY_MS, Dimension, RotationMetric } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { emitMetrics, type MetricSink, type MetricValue, standardOutput } from '../../shared/telemetry/emf';

/** Emits the metrics of one secret's rotations. */
export class RotationMetrics {
  readonly #agent: string;
  readonly #secret: string;
  readonly #clock: Clock;
  readonly #sink: MetricSink;

  constructor(agent: string, secret: string, clock: Clock, sink: MetricSink = standardOutput) {
    this.#agent = agent;
    this.#secret = secret;
    this.#clock = clock;
    this.#sink = sink;
  }

  rotated(): void {
    this.#emit(
      { name: RotationMetric.ROTATED, value: 1, unit: 'Count' },
      { name: RotationMetric.FAILED, value: 0, unit: 'Count' },
      { name: RotationMetric.AGE, value: 0, unit: 'None' },
    );
  }

  failed(): void {
    this.#emit({ name: RotationMetric.FAILED, value: 1, unit: 'Count' });
  }

  poolLeft(keys: number): void {
    this.#emit({ name: RotationMetric.POOL_REMAINING, value: keys, unit: 'Count' });
  }

  age(milliseconds: number): void {
    this.#emit({ name: RotationMetric.AGE, value: Math.max(0, milliseconds) / DAY_MS, unit: 'None' });
  }

  #emit(...metrics: readonly MetricValue[]): void {
    emitMetrics(
      {
        timestamp: this.#clock.now(),
        dimensions: { [Dimension.AGENT]: this.#agent, [Dimension.SECRET]: this.#secret },
        dimensionSets: [[Dimension.AGENT, Dimension.SECRET]],
        metrics,
      },
      this.#sink,
    );
  }
}
