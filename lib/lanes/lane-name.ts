/** Which of the two worker sides of an agent. The value is also the alias of the worker and the metric dimension. */
export enum LaneName {
  /** Serves everybody outside rollouts. */
  STABLE = 'stable',
  /** Serves, during a rollout, the users for whom the valve is open; idle otherwise. */
  CANDIDATE = 'candidate',
}
