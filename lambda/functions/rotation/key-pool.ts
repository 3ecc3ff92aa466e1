import * as z from 'zod';
import type { ApiKeyCheckSettings } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { parseJson } from '../../shared/json';
import type { Log } from '../../shared/telemetry/logger';
import { checkApiKey } from './api-key-check';
import type { KeySource, NewKey } from './key-source';
import { RotationError } from './key-source';
import type { RotationMetrics } from './rotation-metrics';
import { CURRENT, PENDING, PREVIOUS, type SecretDescription, type SecretVersions } from './secret-versions';

const poolSchema = z.array(z.string().min(1)).refine((keys) => new Set(keys).size === keys.length);

/** Number of unused keys at which a warning is logged. */
const LOW_POOL = 1;

export interface KeyPoolDeps {
  readonly versions: SecretVersions;
  readonly poolSecret: string;
  readonly check: ApiKeyCheckSettings;
  readonly metrics: RotationMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Keys that users created, in the order of their use. Which keys were used is not stored: those up to the last one in use were,
 * those after it were not. Users add keys at the end of the list and remove them from its start.
 */
export class KeyPool implements KeySource {
  readonly #deps: KeyPoolDeps;

  constructor(deps: KeyPoolDeps) {
    this.#deps = deps;
  }

  async create(secret: SecretDescription, _version: string): Promise<NewKey> {
    const [next, ...left] = await this.#unused(secret);
    if (next === undefined) {
      this.#measure(0);
      throw new RotationError(
        `the pool ${this.#deps.poolSecret} has no unused key, so nothing was changed and the current key stays in use; add new keys at the end of its JSON array and rotate again`,
      );
    }
    this.#measure(left.length);
    return { text: next, labels: [], discard: async () => {} };
  }

  async test(key: string): Promise<void> {
    await checkApiKey(this.#deps.check, key, this.#deps.clock);
  }

  async checkConfiguration(): Promise<void> {
    await this.#pool();
  }

  async cleanUp(secret: SecretDescription): Promise<void> {
    this.#measure((await this.#unused(secret)).length);
  }

  async #unused({ arn }: SecretDescription): Promise<readonly string[]> {
    const { versions } = this.#deps;
    const keys = await this.#pool();
    const used = await Promise.all([CURRENT, PREVIOUS, PENDING].map((label) => versions.text(arn, label)));
    return keys.slice(Math.max(...used.map((key) => (key === undefined ? -1 : keys.indexOf(key)))) + 1);
  }

  async #pool(): Promise<readonly string[]> {
    const { versions, poolSecret } = this.#deps;
    const parsed = poolSchema.safeParse(parseJson(await versions.text(poolSecret, CURRENT)));
    if (!parsed.success) {
      throw new RotationError(
        `the pool ${poolSecret} is not a list of keys: it must be a JSON array of different, non-empty strings, like ["key-1", "key-2"]`,
      );
    }
    return parsed.data;
  }

  #measure(left: number): void {
    const { metrics, log, poolSecret } = this.#deps;
    metrics.poolLeft(left);
    if (left <= LOW_POOL) {
      log.warn('the key pool is almost empty: add new keys at the end of its list', { left, pool: poolSecret });
    }
  }
}
