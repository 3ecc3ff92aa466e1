import type { IConstruct } from 'constructs';

/** A worker attached to a lane. */
export interface LaneAttachment {
  /**
   * What carries the release: the lane meets a new release when this is updated. Make it depend on whatever must come
   * before.
   */
  readonly alias: IConstruct;
  /** What takes tasks from the lane's queues. Depend on these to be sure that the lane works. */
  readonly mappings: IConstruct[];
}
