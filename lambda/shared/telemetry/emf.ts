import { METRIC_NAMESPACE } from '../../../lib/contract';
import type { Clock } from '../clock';

/** CloudWatch units that the library uses. */
export type MetricUnit = 'Count' | 'Milliseconds' | 'None' | 'Percent';

export interface MetricValue {
  readonly name: string;
  readonly value: number;
  readonly unit: MetricUnit;
}

export interface MetricRecord {
  /** Milliseconds since 1970, cloud time. */
  readonly timestamp: number;
  /** Values of every dimension that the sets name. */
  readonly dimensions: Readonly<Record<string, string>>;
  /** Each set makes metrics of its own. */
  readonly dimensionSets: readonly (readonly string[])[];
  readonly metrics: readonly MetricValue[];
  /** Searchable in the log, no part of the metrics: for instance the task's id. */
  readonly properties?: Readonly<Record<string, string | number>>;
}

/**
 * One log line in the embedded metric format
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
 * Written here and not by a metrics library, because such libraries add dimensions of their own (`service`): then the
 * metric that the alarms watch would never be emitted.
 *
 * @throws TypeError for a dimension without a value, or a value that is not a finite number
 */
export function embeddedMetric({ timestamp, dimensions, dimensionSets, metrics, properties }: MetricRecord): string {
  for (const name of new Set(dimensionSets.flat())) {
    if (!dimensions[name]) {
      throw new TypeError(`metric dimension ${name} has no value: CloudWatch would drop the whole record`);
    }
  }
  for (const { name, value } of metrics) {
    if (!Number.isFinite(value)) {
      throw new TypeError(`metric ${name} has the value ${value}, expected a finite number`);
    }
  }
  return JSON.stringify({
    ...properties,
    ...dimensions,
    ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
    _aws: {
      Timestamp: Math.round(timestamp),
      CloudWatchMetrics: [
        {
          Namespace: METRIC_NAMESPACE,
          Dimensions: dimensionSets,
          Metrics: metrics.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
  });
}

/** Takes a finished line to where CloudWatch reads metrics: standard output. */
export type MetricSink = (line: string) => void;

export const standardOutput: MetricSink = (line) => {
  process.stdout.write(`${line}\n`);
};

/** Emits metrics of one record. */
export function emitMetrics(record: MetricRecord, sink: MetricSink = standardOutput): void {
  sink(embeddedMetric(record));
}

export interface MetricEmitterOptions {
  /** Values of the dimensions, fixed for all metrics of the emitter. */
  readonly dimensions: Readonly<Record<string, string>>;
  /** @default one set with all dimensions */
  readonly dimensionSets?: readonly (readonly string[])[];
  readonly clock: Clock;
  /** @default standard output */
  readonly sink?: MetricSink;
}

/** Emits metrics whose dimensions are fixed at construction. */
export class MetricEmitter {
  readonly #options: MetricEmitterOptions;

  constructor(options: MetricEmitterOptions) {
    this.#options = options;
  }

  /** An emitter for the same clock and sink, with further or other dimensions. @param sets @default one set with all */
  withDimensions(dimensions: Readonly<Record<string, string>>, sets?: MetricEmitterOptions['dimensionSets']) {
    const { clock, sink } = this.#options;
    return new MetricEmitter({
      dimensions: { ...this.#options.dimensions, ...dimensions },
      dimensionSets: sets,
      clock,
      sink,
    });
  }

  /** Emits metrics as one record; no record if there are none. */
  emit(metrics: readonly MetricValue[], properties?: MetricRecord['properties']): void {
    if (metrics.length === 0) {
      return;
    }
    const { dimensions, dimensionSets = [Object.keys(dimensions)], clock, sink } = this.#options;
    emitMetrics({ timestamp: clock.now(), dimensions, dimensionSets, metrics, properties }, sink);
  }

  /** Emits one metric with unit Count. */
  count(name: string, value = 1, properties?: MetricRecord['properties']): void {
    this.emit([countOf(name, value)], properties);
  }
}

/** A metric with unit Count. */
export function countOf(name: string, value = 1): MetricValue {
  return { name, value, unit: 'Count' };
}
