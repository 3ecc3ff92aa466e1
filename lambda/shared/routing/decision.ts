import { type AliasSnapshot, isLetThrough, type LaneName, valveBucketOf } from '../../../lib/contract';
import type { RoutingState } from './routing-repository';

/** Why a lane was chosen, for the log. */
export type LaneReason =
  | 'routing_unknown'
  | 'nothing_promoted'
  | 'no_rollout'
  | 'valve_closed'
  | 'valve_open_for_user'
  | 'valve_closed_for_user'
  | 'awaiting_promotion';

export interface LaneDecision {
  readonly lane: LaneName;
  readonly reason: LaneReason;
  readonly rolloutId?: string;
  /** Present while a shift is in progress. */
  readonly bucket?: number;
  readonly weight?: number;
}

/**
 * Chooses the lane: a pure function of what is in the control table, the time and the user, so that all router versions
 * and environments agree.
 *
 * @param state undefined: never read successfully. Everything then goes to the stable lane, which serves as long as
 *   anything was ever promoted.
 * @param now milliseconds since 1970
 */
export function chooseLane(state: RoutingState | undefined, now: number, agent: string, user: string): LaneDecision {
  if (state === undefined) {
    return { lane: 'stable', reason: 'routing_unknown' };
  }
  const { promoted, rollout } = state;
  if (promoted === undefined) {
    // The stable lane has no release before the first promotion.
    return { lane: 'candidate', reason: 'nothing_promoted' };
  }
  if (rollout?.status !== 'in_progress') {
    return { lane: 'stable', reason: 'no_rollout' };
  }
  const rolloutId = rollout.id;
  const snapshot = snapshotInForce(state, now);
  if (snapshot?.shift !== undefined) {
    const { version, weight } = snapshot.shift;
    const bucket = valveBucketOf(agent, version, user);
    return isLetThrough(weight, bucket)
      ? { lane: 'candidate', reason: 'valve_open_for_user', rolloutId, bucket, weight }
      : { lane: 'stable', reason: 'valve_closed_for_user', rolloutId, bucket, weight };
  }
  return snapshot === undefined || snapshot.version === promoted.target.routerVersion
    ? { lane: 'stable', reason: 'valve_closed', rolloutId }
    : { lane: 'candidate', reason: 'awaiting_promotion', rolloutId };
}

/** What routers go by at this moment; undefined (closed) if no valve item belongs to the rollout. */
export function snapshotInForce({ rollout, valve }: RoutingState, now: number): AliasSnapshot | undefined {
  if (valve === undefined || valve.rolloutId !== rollout?.id) {
    return undefined;
  }
  return now < valve.effectiveAt ? valve.previous : valve.current;
}
