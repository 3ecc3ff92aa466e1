import { ResourceFailure } from '../../core/resource';
import { type CapacityProvider, nameOf, type StrategyItem } from './model';

interface Cluster {
  providers: readonly CapacityProvider[];
  defaultStrategy: readonly StrategyItem[];
}

/** Clusters, with the capacity that their services may have. */
export class Clusters {
  readonly #isUsed: (cluster: string, provider?: CapacityProvider) => boolean;
  readonly #byName = new Map<string, Cluster>();

  /** @param isUsed whether services of the cluster use the provider; without one: whether there are services at all */
  constructor(isUsed: (cluster: string, provider?: CapacityProvider) => boolean) {
    this.#isUsed = isUsed;
  }

  put(name: string, cluster: Cluster): void {
    this.#byName.set(name, cluster);
  }

  /** @throws ResourceFailure */
  get(reference: string): Cluster & { readonly name: string } {
    const name = nameOf(reference);
    const cluster = this.#byName.get(name);
    if (cluster === undefined) {
      throw new ResourceFailure(`ClusterNotFoundException: Cluster not found: ${reference}`);
    }
    return { ...cluster, name };
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** @throws ResourceFailure while it has services */
  delete(name: string): void {
    if (this.#isUsed(name)) {
      throw new ResourceFailure(
        'ClusterContainsServicesException: The Cluster cannot be deleted while Services are active.',
      );
    }
    this.#byName.delete(name);
  }

  /** @throws ResourceFailure when a provider is taken away that a service uses */
  associate(reference: string, providers: readonly CapacityProvider[], strategy: readonly StrategyItem[]): void {
    const { name, providers: before } = this.get(reference);
    const missed = before.find((provider) => !providers.includes(provider) && this.#isUsed(name, provider));
    if (missed !== undefined) {
      throw new ResourceFailure(
        `ResourceInUseException: The specified capacity provider ${missed} is in use and cannot be removed.`,
      );
    }
    this.#byName.set(name, { providers, defaultStrategy: strategy });
  }
}
