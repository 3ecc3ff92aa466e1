import { sha256 } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import type { Log } from '../../shared/telemetry/logger';
import { checkApiKey } from './api-key-check';
import type { KeySource, NewKey } from './key-source';
import type { OpenAiAdmin, ServiceAccount } from './openai-admin';
import { CURRENT, PENDING, type SecretDescription, type SecretVersions } from './secret-versions';

/** Prefix of the staging label that names the service account of a version's key. Set in the same call as the key. */
const LABEL_PREFIX = 'service-account:';

/**
 * Minimum age in milliseconds at which an account without a labeled version is deleted: its creator may be about to write the key
 * to the secret. Much longer than the timeout of this function.
 */
export const ORPHAN_MIN_AGE_MS = 5 * 60_000;

export interface ServiceAccountsDeps {
  readonly admin: OpenAiAdmin;
  readonly versions: SecretVersions;
  readonly baseUrl: string | undefined;
  readonly keyExpirySeconds: number | undefined;
  /** How long the key before the current one stays valid. */
  readonly graceMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * One OpenAI service account for each version of the secret. Its name contains the secret and the version, and
 * a label of the version names the account. So an account whose creation was not answered, or whose key was never written to
 * the secret, is identified by its name, its missing label and its age, and is deleted.
 */
export class ServiceAccounts implements KeySource {
  readonly #deps: ServiceAccountsDeps;

  constructor(deps: ServiceAccountsDeps) {
    this.#deps = deps;
  }

  async create(secret: SecretDescription, version: string): Promise<NewKey> {
    const { admin, keyExpirySeconds, log } = this.#deps;
    await this.#deleteOrphans(secret, await this.#ownAccounts(secret));
    const { id, key } = await admin.create(`${prefixOf(secret)}${version}`, keyExpirySeconds);
    log.info('service account created', { account: id, version });
    return { text: key, labels: [`${LABEL_PREFIX}${id}`], discard: () => admin.delete(id) };
  }

  async test(key: string): Promise<void> {
    const { baseUrl, clock } = this.#deps;
    await checkApiKey({ provider: 'openai', baseUrl }, key, clock);
  }

  async checkConfiguration(): Promise<void> {
    await this.#deps.admin.list();
  }

  async cleanUp(secret: SecretDescription, currentSince: number | undefined): Promise<void> {
    const { versions, graceMs, clock } = this.#deps;
    const accounts = await this.#ownAccounts(secret);
    // Read after the accounts: an account that is created in the meantime is not in the list.
    const current = await versions.describe(secret.arn);
    await this.#deleteOrphans(current, accounts);
    if (currentSince === undefined || clock.now() - currentSince < graceMs) {
      return;
    }
    for (const [version, labels] of current.labels) {
      if (labels.includes(CURRENT) || labels.includes(PENDING)) {
        continue;
      }
      for (const label of labels.filter((one) => one.startsWith(LABEL_PREFIX))) {
        await this.#remove(label.slice(LABEL_PREFIX.length), 'its grace period is over');
        // After the account: after an interruption in between, the next run finds the label without an account and continues.
        await versions.unlabel(secret.arn, version, label);
      }
    }
  }

  async #ownAccounts(secret: SecretDescription): Promise<readonly ServiceAccount[]> {
    const prefix = prefixOf(secret);
    return (await this.#deps.admin.list()).filter(({ name }) => name.startsWith(prefix));
  }

  async #deleteOrphans(secret: SecretDescription, accounts: readonly ServiceAccount[]): Promise<void> {
    const labels = new Set([...secret.labels.values()].flat());
    for (const { id, createdAt } of accounts) {
      if (!labels.has(`${LABEL_PREFIX}${id}`) && this.#deps.clock.now() - createdAt >= ORPHAN_MIN_AGE_MS) {
        await this.#remove(id, 'its key never reached the secret');
      }
    }
  }

  async #remove(account: string, reason: string): Promise<void> {
    await this.#deps.admin.delete(account);
    this.#deps.log.info('service account deleted', { account, reason });
  }
}

/** Secrets may share a project: the prefix keeps their accounts apart. */
function prefixOf({ arn }: SecretDescription): string {
  return `agent-lanes-${sha256(arn).slice(0, 12)}-`;
}
