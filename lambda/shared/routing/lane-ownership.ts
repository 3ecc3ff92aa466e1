import type { LaneName, PromotedItem, RolloutItem } from '../../../lib/contract';
import type { Clock } from '../clock';
import { messageOf } from '../errors';
import type { Log } from '../telemetry/logger';
import type { RoutingRepository } from './routing-repository';

/** Milliseconds between two checks (two reads each), plus up to this share of jitter. */
const INTERVAL_MS = 30_000;
const JITTER = 0.3;

export interface LaneOwnershipMonitorDeps {
  readonly routing: Pick<RoutingRepository, 'readPromoted' | 'readRollout'>;
  readonly release: string;
  readonly lane: LaneName;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly logger: Log;
}

/**
 * Checks whether the lane still belongs to this worker's release.
 *
 * A deployment does not stop an old container that is protected because it runs tasks. A container that keeps taking tasks
 * is never idle, so it would serve the previous release for as long as there is load. The container therefore checks for
 * itself, and takes no more tasks once its release has lost the lane: then it drains, loses its protection, and ECS stops
 * it. If the release gets the lane back meanwhile, the container takes tasks again.
 */
export class LaneOwnershipMonitor {
  readonly #deps: LaneOwnershipMonitorDeps;

  constructor(deps: LaneOwnershipMonitorDeps) {
    this.#deps = deps;
  }

  /** Checks until the signal aborts. @param onChange called when the release loses the lane or gets it back */
  async watch(signal: AbortSignal, onChange: (serving: boolean) => void): Promise<void> {
    const { clock, random, lane, release, logger } = this.#deps;
    let serving = true;
    while (!signal.aborted) {
      await clock.sleep(INTERVAL_MS * (1 + JITTER * random()), signal).catch(() => undefined);
      const now: boolean = signal.aborted ? serving : await this.#check(serving);
      if (now !== serving && !signal.aborted) {
        serving = now;
        const message = serving
          ? 'lane is served by this release again; taking tasks'
          : 'lane is served by another release; draining';
        logger.info(message, {
          component: 'lane-ownership',
          lane,
          release,
          outcome: serving ? 'resumed' : 'draining',
        });
        onChange(serving);
      }
    }
  }

  /** A failed read changes nothing. */
  async #check(before: boolean): Promise<boolean> {
    const { routing, lane, release, logger } = this.#deps;
    try {
      const [promoted, rollout] = await Promise.all([
        routing.readPromoted({ consistent: false }),
        routing.readRollout({ consistent: false }),
      ]);
      return servesLane(lane, release, promoted, rollout);
    } catch (error) {
      logger.warn('lane ownership could not be read; the worker continues as before', {
        component: 'lane-ownership',
        outcome: 'error',
        reason: messageOf(error),
      });
      return before;
    }
  }
}

/**
 * Whether the lane belongs to this release. The candidate lane belongs to the rollout in progress. The stable lane then
 * belongs to both releases: it gets the new one in the last step before the promotion.
 */
export function servesLane(
  lane: LaneName,
  release: string,
  promoted: PromotedItem | undefined,
  rollout: RolloutItem | undefined,
): boolean {
  const inProgress = rollout?.status === 'in_progress' ? rollout.target.release : undefined;
  const before = promoted?.target.release;
  if (lane === 'candidate') {
    return (inProgress ?? before ?? release) === release;
  }
  return before === undefined || before === release || inProgress === release;
}
