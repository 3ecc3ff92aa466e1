import { Lazy } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { checkedInteger, laneError } from '../common';
import { DEFAULT_MAX_ATTEMPTS, Env, RECEIVE_COUNT_HEADROOM } from '../contract';
import type { ILaneQueues } from '../lanes';
import { deadLetterUrls, queueUrls } from '../lanes/lane-queues';

/** With more attempts, a task that always fails would be retried for days. */
const MAX_ATTEMPTS = 100;

/** The lanes that a worker serves, and the environment variables for their queues. */
export class AttachedLanes {
  private readonly maxAttempts: number;
  private readonly lanes: ILaneQueues[] = [];

  /** @param maxAttempts 1 to 100 */
  constructor(
    private readonly worker: Construct,
    maxAttempts: number = DEFAULT_MAX_ATTEMPTS,
  ) {
    this.maxAttempts = checkedInteger(worker, 'InvalidMaxAttempts', {
      name: 'maxAttempts',
      value: maxAttempts,
      max: MAX_ATTEMPTS,
    });
  }

  /** @throws LaneError for a lane that is already attached, or whose maxReceiveCount does not fit */
  add(lane: ILaneQueues): void {
    if (this.lanes.some(({ laneName }) => laneName === lane.laneName)) {
      throw laneError(
        this.worker,
        'DuplicateLane',
        `lane "${lane.laneName}" is already attached to the worker; use the attachment that the first call returned`,
      );
    }
    this.checkReceives(lane);
    this.lanes.push(lane);
  }

  /** Environment variables for queues and attempts. They are lazy: lanes are attached after the worker is created. */
  environment(): { [name: string]: string } {
    return {
      [Env.MAX_ATTEMPTS]: String(this.maxAttempts),
      [Env.QUEUES]: Lazy.string({ produce: () => queueUrls(this.worker, this.lanes) }),
      [Env.DEAD_LETTER_QUEUES]: Lazy.string({ produce: () => deadLetterUrls(this.worker, this.lanes) }),
      [Env.MAX_RECEIVES]: Lazy.string({
        produce: () => String(this.lanes[0]?.maxReceiveCount ?? this.maxAttempts + RECEIVE_COUNT_HEADROOM),
      }),
    };
  }

  /** One environment variable holds maxReceiveCount for all lanes of the worker. */
  private checkReceives(lane: ILaneQueues): void {
    const min = this.maxAttempts + RECEIVE_COUNT_HEADROOM;
    if (lane.maxReceiveCount < min) {
      throw laneError(
        this.worker,
        'TooFewReceives',
        `maxReceiveCount of lane "${lane.laneName}" must be at least ${min}, ${RECEIVE_COUNT_HEADROOM} more than maxAttempts, got ${lane.maxReceiveCount}: throttled and repeated receives use up receives and no attempts; raise maxReceiveCount of the lane or lower maxAttempts`,
      );
    }
    const [other] = this.lanes;
    if (other !== undefined && other.maxReceiveCount !== lane.maxReceiveCount) {
      throw laneError(
        this.worker,
        'ConflictingMaxReceiveCount',
        `maxReceiveCount is ${lane.maxReceiveCount} for lane "${lane.laneName}" and ${other.maxReceiveCount} for lane "${other.laneName}": one worker serves both, so the numbers must be equal; set the same maxReceiveCount for both lanes`,
      );
    }
  }
}
