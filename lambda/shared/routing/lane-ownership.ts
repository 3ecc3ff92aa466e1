import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import {
  ControlKey,
  type LaneName,
  type PromotedItem,
  promotedItemSchema,
  type RolloutItem,
  rolloutItemSchema,
  type TableKey,
} from '../../../lib/contract';
import type { Clock } from '../clock';
import { messageOf } from '../errors';
import type { Log } from '../telemetry/logger';

/** Milliseconds between two looks, and up to so much longer by chance: two reads each. */
const EVERY_MS = 30_000;
const JITTER = 0.3;

export interface LaneOwnershipMonitorOptions {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  readonly release: string;
  readonly lane: LaneName;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly logger: Log;
}

/**
 * Whether the lane is still this worker's, or has passed to another release.
 *
 * A deployment does not stop an old container that is protected for the tasks it runs, and with a deferred clean-up the
 * deployment does not wait for it. A container that continued to take tasks would always run one, and would serve the
 * previous release for as long as there is load. Hence each container checks by itself, and takes no more tasks once its
 * release has left the lane: it becomes idle, loses its protection, and ECS stops it. If the release returns before that,
 * the container takes tasks again.
 */
export class LaneOwnershipMonitor {
  readonly #options: LaneOwnershipMonitorOptions;

  constructor(options: LaneOwnershipMonitorOptions) {
    this.#options = options;
  }

  /** Looks until the signal aborts. @param onChange told when the lane passes to another release, or back */
  async watch(signal: AbortSignal, onChange: (serving: boolean) => void): Promise<void> {
    const { clock, random, lane, release, logger } = this.#options;
    let serving = true;
    while (!signal.aborted) {
      await clock.sleep(EVERY_MS * (1 + JITTER * random()), signal).catch(() => undefined);
      const now: boolean = signal.aborted ? serving : await this.#look(serving);
      if (now !== serving && !signal.aborted) {
        serving = now;
        logger.info(serving ? "the lane is this release's again" : 'the lane has passed to another release', {
          component: 'succession',
          lane,
          release,
          outcome: serving ? 'resumed' : 'retired',
        });
        onChange(serving);
      }
    }
  }

  /** A failed read changes nothing: a worker that does not know continues. */
  async #look(before: boolean): Promise<boolean> {
    const { lane, release, logger } = this.#options;
    try {
      const [promoted, rollout] = await Promise.all([this.#read(ControlKey.promoted), this.#read(ControlKey.rollout)]);
      return servesLane(
        lane,
        release,
        promoted === undefined ? undefined : promotedItemSchema.parse(promoted),
        rollout === undefined ? undefined : rolloutItemSchema.parse(rollout),
      );
    } catch (error) {
      logger.warn('the release of the lane could not be read, the worker continues as before', {
        component: 'succession',
        outcome: 'error',
        reason: messageOf(error),
      });
      return before;
    }
  }

  async #read(key: TableKey): Promise<unknown> {
    const { client, table } = this.#options;
    return (await client.send(new GetCommand({ TableName: table, Key: key }))).Item;
  }
}

/**
 * Whether the lane is for this release, by what is promoted and what is being rolled out. During a rollout the candidate lane
 * belongs to the new release, and the stable lane to both: it gets the new release as the last act before the promotion.
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
