import type { Clock } from '../clock';
import type { RoutingRepository } from './routing-repository';

/** Age at which the rollout is read again, in milliseconds of cloud time. */
const MAX_AGE_MS = 10_000;

export interface RevocationDeps {
  readonly routing: Pick<RoutingRepository, 'readRollout'>;
  readonly release: string;
  readonly clock: Clock;
}

/**
 * Whether the release of this worker was revoked: its rollout was rolled back, and its running tasks continue in the
 * stable lane. All tasks of an environment share one read; there is none unless a task runs longer than a heartbeat.
 */
export class Revocation {
  readonly #deps: RevocationDeps;
  #seen: { readonly at: number; readonly revoked: Promise<boolean> } | undefined;

  constructor(deps: RevocationDeps) {
    this.#deps = deps;
  }

  revoked(): Promise<boolean> {
    const now = this.#deps.clock.now();
    if (this.#seen === undefined || now - this.#seen.at >= MAX_AGE_MS) {
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
    const { routing, release } = this.#deps;
    const rollout = await routing.readRollout({ consistent: false });
    return rollout?.status === 'rolled_back' && rollout.revoked === true && rollout.target.release === release;
  }
}
