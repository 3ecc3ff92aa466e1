import { Lazy } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { checkedInteger, laneError } from '../common';
import { DEFAULT_MAX_ATTEMPTS, Env, RECEIVE_COUNT_HEADROOM } from '../contract';
import type { ILaneQueues } from '../lanes';
import { deadLetterUrls, queueUrls } from '../lanes/lane-queues';

/** More attempts would bring a task that fails for good back for days. */
const MAX_ATTEMPTS = 100;

/** The lanes that a worker serves, and what it is told of their queues. */
export class AttachedLanes {
  private readonly maxAttempts: number;
  private readonly lanes: ILaneQueues[] = [];

  /** @throws LaneError for attempts out of range */
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

  /** @throws LaneError for a lane that is there already, or whose receives do not fit */
  add(lane: ILaneQueues): void {
    if (this.lanes.some(({ laneName }) => laneName === lane.laneName)) {
      throw laneError(
        this.worker,
        'DuplicateLane',
        `lane "${lane.laneName}" is already attached to the worker: expected each lane once; use the attachment that the first call returned`,
      );
    }
    this.checkReceives(lane);
    this.lanes.push(lane);
  }

  /** Variables of the contract that tell of queues and attempts. Lanes are attached once the worker is there. */
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

  /** What a worker is told of receives holds for all its lanes. */
  private checkReceives(lane: ILaneQueues): void {
    const least = this.maxAttempts + RECEIVE_COUNT_HEADROOM;
    if (lane.maxReceiveCount < least) {
      throw laneError(
        this.worker,
        'TooFewReceives',
        `lane "${lane.laneName}" gives a message up after ${lane.maxReceiveCount} receives, and a task gets ${this.maxAttempts} attempts: expected at least ${least} receives, for throttled and repeated ones use up receives and no attempts; raise maxReceiveCount of the lane or lower maxAttempts`,
      );
    }
    const [other] = this.lanes;
    if (other !== undefined && other.maxReceiveCount !== lane.maxReceiveCount) {
      throw laneError(
        this.worker,
        'ConflictingMaxReceiveCount',
        `lane "${lane.laneName}" gives a message up after ${lane.maxReceiveCount} receives, lane "${other.laneName}" after ${other.maxReceiveCount}: expected the same number, for one worker serves both and replaces a message at its last receive; give both lanes the same maxReceiveCount`,
      );
    }
  }
}
