import type { CapacityProvider, StrategyItem, Zone } from './model';

/**
 * Where the next task goes: the zone with the fewest.
 *
 * @param taken zones of the tasks there are
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
 */
export function nextZone(zones: readonly Zone[], taken: readonly string[]): Zone {
  const counted = (zone: string) => taken.filter((one) => one === zone).length;
  return [...zones].sort((a, b) => counted(a.zone) - counted(b.zone))[0] ?? { subnet: '', zone: '' };
}

/**
 * What capacity the next task gets: first what the strategy has as base, then by weight.
 *
 * @param taken of the tasks there are
 * @see https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
 */
export function nextProvider(strategy: readonly StrategyItem[], taken: readonly CapacityProvider[]): CapacityProvider {
  const counted = (provider: CapacityProvider) => taken.filter((one) => one === provider).length;
  const based = strategy.find(({ provider, base }) => counted(provider) < base);
  if (based !== undefined) {
    return based.provider;
  }
  const weighted = strategy.filter(({ weight }) => weight > 0);
  const load = ({ provider, base, weight }: StrategyItem) => (counted(provider) - base + 1) / weight;
  return [...weighted].sort((a, b) => load(a) - load(b))[0]?.provider ?? 'FARGATE';
}

interface Placed {
  readonly zone: string;
  readonly running: boolean;
  readonly createdAt: number;
}

/**
 * Which tasks a scale-in stops, in this order: those that do not run yet, then from the zone with the most. Which of a
 * zone's tasks AWS picks is not documented; here it is the youngest.
 */
export function tasksToStop<T>(candidates: readonly T[], count: number, placed: (one: T) => Placed): readonly T[] {
  const left = [...candidates];
  const chosen: T[] = [];
  while (chosen.length < count && left.length > 0) {
    const inZone = (one: T) => left.filter((other) => placed(other).zone === placed(one).zone).length;
    left.sort(
      (a, b) =>
        Number(placed(a).running) - Number(placed(b).running) ||
        inZone(b) - inZone(a) ||
        placed(b).createdAt - placed(a).createdAt,
    );
    const next = left.shift();
    if (next !== undefined) {
      chosen.push(next);
    }
  }
  return chosen;
}
