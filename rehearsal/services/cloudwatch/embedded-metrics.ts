import { z } from 'zod';
import type { MetricDimensions } from '../../core/ports';

/** One metric in one dimension set, as a log line carried it. */
export interface EmbeddedMetric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: MetricDimensions;
  readonly values: readonly number[];
  readonly unit: string | undefined;
}

export type EmbeddedLine =
  | { readonly kind: 'other' }
  | { readonly kind: 'malformed'; readonly reason: string }
  | { readonly kind: 'metrics'; readonly timestamp: number | undefined; readonly metrics: readonly EmbeddedMetric[] };

const name = z.string().min(1).max(1024);

const metadataSchema = z.object({
  Timestamp: z.number().int().nonnegative().optional(),
  CloudWatchMetrics: z.array(
    z.object({
      Namespace: z.string().min(1).max(255),
      Dimensions: z.array(z.array(z.string().min(1).max(250)).max(30)).min(1),
      Metrics: z
        .array(
          z.object({
            Name: name,
            Unit: z.string().optional(),
            StorageResolution: z.union([z.literal(1), z.literal(60)]).optional(),
          }),
        )
        .max(100),
    }),
  ),
});

const dimensionValue = z.string().min(1).max(1024);
const metricValue = z.union([z.number(), z.array(z.number()).min(1).max(100)]);

/**
 * Reads the metrics of a log line in the embedded metric format. Other lines (no JSON, or no
 * `_aws` member) have the kind `other`.
 *
 * Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function readEmbeddedLine(line: string): EmbeddedLine {
  if (!line.includes('"_aws"')) {
    return { kind: 'other' };
  }
  let root: unknown;
  try {
    root = JSON.parse(line);
  } catch (error) {
    // Only a line that starts like a JSON object counts as malformed; plain text may mention the member.
    return line.trimStart().startsWith('{')
      ? { kind: 'malformed', reason: `not JSON: ${error instanceof Error ? error.message : String(error)}` }
      : { kind: 'other' };
  }
  if (!isRecord(root) || root._aws === undefined) {
    return { kind: 'other' };
  }
  const metadata = metadataSchema.safeParse(root._aws);
  if (!metadata.success) {
    const issue = metadata.error.issues[0];
    return { kind: 'malformed', reason: `_aws.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}` };
  }
  const metrics: EmbeddedMetric[] = [];
  for (const directive of metadata.data.CloudWatchMetrics) {
    for (const set of directive.Dimensions) {
      const dimensions: Record<string, string> = {};
      for (const key of set) {
        const value = dimensionValue.safeParse(root[key]);
        if (!value.success) {
          return {
            kind: 'malformed',
            reason: `dimension ${key} of ${directive.Namespace}: expected text of 1 to 1024 characters in the root of the line, got ${JSON.stringify(root[key])}`,
          };
        }
        dimensions[key] = value.data;
      }
      for (const metric of directive.Metrics) {
        const value = metricValue.safeParse(root[metric.Name]);
        if (!value.success) {
          return {
            kind: 'malformed',
            reason: `metric ${metric.Name} of ${directive.Namespace}: expected a number or up to 100 numbers in the root of the line, got ${JSON.stringify(root[metric.Name])}`,
          };
        }
        metrics.push({
          namespace: directive.Namespace,
          name: metric.Name,
          dimensions,
          values: typeof value.data === 'number' ? [value.data] : value.data,
          unit: metric.Unit,
        });
      }
    }
  }
  return { kind: 'metrics', timestamp: metadata.data.Timestamp, metrics };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
