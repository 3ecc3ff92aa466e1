import type { IConstruct } from 'constructs';

/** A worker attached to a lane. */
export interface LaneAttachment {
  /**
   * What carries the release (an alias of a function, a service of containers): the lane meets a new release when this is
   * updated. Make it depend on whatever must come before.
   */
  readonly carrier: IConstruct;
  /** What makes the lane take tasks: event source mappings, scaling. Depend on these too to be sure that it works. */
  readonly consumers: IConstruct[];
}
