/** What becomes of the tasks that a release is running when its rollout is put back. */
export enum InFlightTaskPolicy {
  /** They finish on the release that they started on. */
  FINISH = 'finish',
  /**
   * Their workers hand them back at the next heartbeat, and the stable lane goes on with them: what they finished is kept,
   * step by step, wherever the releases' steps have the same names. For a release that does harm as long as it runs.
   */
  REQUEUE = 'requeue',
}
