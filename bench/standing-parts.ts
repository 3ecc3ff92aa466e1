import type { RehearsedStack } from './rehearsed-stack';

/** Resources of a stack with a monthly price, independent of its load. */
export interface StandingParts {
  readonly eventSourceMappings: number;
  readonly alarmMetrics: number;
  readonly dashboards: number;
  readonly secrets: number;
}

/** Counts what of the deployed stack is paid by the month; the peer's own parts are left out. */
export function standingParts({ cloud }: RehearsedStack): StandingParts {
  const resources = cloud.resources().filter(({ path }) => path.includes('/Agent/') || path.includes('ProviderKey'));
  const ofType = (type: string) => resources.filter((resource) => resource.type === type);
  return {
    eventSourceMappings: ofType('AWS::Lambda::EventSourceMapping').length,
    alarmMetrics: ofType('AWS::CloudWatch::Alarm').reduce((sum, { properties }) => sum + metricsOf(properties), 0),
    dashboards: ofType('AWS::CloudWatch::Dashboard').length,
    secrets: ofType('AWS::SecretsManager::Secret').length,
  };
}

/** Properties of a resource. */
export type Metered = Readonly<Record<string, unknown>>;

/** An alarm on an expression is charged for each metric in it. */
export function metricsOf(properties: Metered): number {
  const metrics = Array.isArray(properties.Metrics) ? properties.Metrics : [];
  return Math.max(1, metrics.filter((metric: { MetricStat?: unknown }) => metric.MetricStat !== undefined).length);
}
