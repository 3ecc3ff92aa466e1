import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { ControlKey, rolloutItemSchema } from '../../../lib/contract';
import type { Clock } from '../clock';

/** What a worker knows of the rollout is so old at most when it looks again. Milliseconds of the cloud's time. */
const KEPT_MS = 10_000;

export interface RevocationOptions {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  readonly release: string;
  readonly clock: Clock;
}

/**
 * Whether the rollout of the release that this worker runs was rolled back, and its running tasks must continue in the
 * stable lane. One read for all tasks of an environment; read only while tasks run that are longer than a heartbeat.
 */
export class Revocation {
  readonly #options: RevocationOptions;
  #seen: { readonly at: number; readonly revoked: Promise<boolean> } | undefined;

  constructor(options: RevocationOptions) {
    this.#options = options;
  }

  revoked(): Promise<boolean> {
    const now = this.#options.clock.now();
    if (this.#seen === undefined || now - this.#seen.at >= KEPT_MS) {
      const seen = { at: now, revoked: this.#read() };
      this.#seen = seen;
      seen.revoked.catch(() => {
        if (this.#seen === seen) {
          this.#seen = undefined;
        }
      });
    }
    return this.#seen.revoked;
  }

  async #read(): Promise<boolean> {
    const { client, table, release } = this.#options;
    const { Item } = await client.send(new GetCommand({ TableName: table, Key: ControlKey.rollout }));
    if (Item === undefined) {
      return false;
    }
    const rollout = rolloutItemSchema.parse(Item);
    return rollout.status === 'rolled_back' && rollout.revoked === true && rollout.target.release === release;
  }
}
