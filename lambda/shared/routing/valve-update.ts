import type { AliasSnapshot, PromotedItem, RolloutItem, ValveItem } from '../../../lib/contract';
import { snapshotInForce } from './decision';

/** Milliseconds (cloud time) that a router goes by what it read. */
export const ROUTING_CACHE_MS = 5_000;

/**
 * Milliseconds (cloud time) between writing that the valve opens further and its taking effect. A router that read
 * just before the write still learns of it in time: {@link ROUTING_CACHE_MS} for the cache, the rest for a slow write or a slow read.
 */
export const OPENING_DELAY_MS = 20_000;

/** A rollout in progress, over a promoted release: the only state in which the alias says where tasks go. */
export interface ShiftingState {
  readonly promoted: PromotedItem;
  readonly rollout: RolloutItem;
  readonly valve?: ValveItem;
}

/**
 * The valve item to write after a look at the alias. Opening takes effect at one moment for all routers, although each
 * learns of it at a moment of its own; closing takes effect at once, for it sends users away from a release that failed.
 *
 * @param now milliseconds since 1970
 */
export function nextValve(state: ShiftingState, seen: AliasSnapshot, now: number): ValveItem {
  const { promoted, rollout, valve } = state;
  const closed: AliasSnapshot = { version: promoted.target.routerVersion };
  // An item of another rollout tells nothing about this one.
  const own = valve?.rolloutId === rollout.id ? valve : undefined;
  const kept = own ?? { current: closed, previous: closed, effectiveAt: now };
  const base = { rolloutId: rollout.id, checkedAt: now, sequence: (valve?.sequence ?? -1) + 1 };
  const { current, previous, effectiveAt } = kept;
  if (sameSnapshot(seen, current)) {
    return { ...base, current, previous, effectiveAt };
  }
  const inForce = snapshotInForce(state, now) ?? closed;
  if (sameSnapshot(seen, closed)) {
    return { ...base, current: seen, previous: inForce, effectiveAt: now };
  }
  if (now < effectiveAt) {
    // Some routers may have read when the pending change takes effect: it must, and the next look continues from there.
    return { ...base, current, previous, effectiveAt };
  }
  return { ...base, current: seen, previous: inForce, effectiveAt: now + OPENING_DELAY_MS };
}

export function sameSnapshot(a: AliasSnapshot, b: AliasSnapshot): boolean {
  return a.version === b.version && a.shift?.version === b.shift?.version && a.shift?.weight === b.shift?.weight;
}
