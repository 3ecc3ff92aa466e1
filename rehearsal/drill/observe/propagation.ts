import { OPENING_DELAY_MS, ROUTING_CACHE_MS } from '../../../lambda/shared/routing/valve-update';
import { isLetThrough, type LaneName } from '../../../lib/contract';
import type { DrillHistory, ReleaseHistory } from '../report/history';

/**
 * How long a router may go on by what it knew before: until the fleet looks at the alias again, until an opening takes
 * effect for all, and until its own cache is over. Cloud milliseconds.
 */
const ALIAS_LOOK_MS = 30_000;
const PROPAGATION_MS = ALIAS_LOOK_MS + OPENING_DELAY_MS + ROUTING_CACHE_MS;

/** Handlers run in real time while the cloud's clock is compressed: what a request may take between choosing a lane and recording it. */
const HANDLER_REAL_MS = 1_000;

/** The same where calls fail on purpose, and clients try again in between. */
const TROUBLED_HANDLER_REAL_MS = 6_000;

type Course = Pick<DrillHistory, 'speed' | 'faults'>;

/** Cloud milliseconds that a request may take. */
function handlerMs({ speed, faults }: Course): number {
  return (faults === undefined ? HANDLER_REAL_MS : TROUBLED_HANDLER_REAL_MS) * speed;
}

/** Cloud milliseconds that a change of the valve may take to reach every request, at this speed. */
export function propagationOf(history: Course): number {
  return PROPAGATION_MS + handlerMs(history);
}

/** Lanes that a task of this user, accepted at `at`, may have been given. */
export function allowedLanes(
  history: Course & Pick<DrillHistory, 'bucketOf'>,
  release: ReleaseHistory,
  user: string,
  at: number,
): ReadonlySet<LaneName> {
  const lag = propagationOf(history);
  const ahead = handlerMs(history);
  const lanes = new Set<LaneName>();
  for (const period of release.valve) {
    if (period.from <= at + ahead && at <= period.to + lag) {
      const open =
        release.routerVersion !== undefined &&
        isLetThrough(period.share, history.bucketOf(release.routerVersion, user));
      lanes.add(open ? 'candidate' : 'stable');
    }
  }
  return lanes;
}

/** When the valve had certainly closed for every request, or undefined while it never opened. */
export function closedSince(history: Course, release: ReleaseHistory): number | undefined {
  const open = release.valve.filter((period) => period.share > 0);
  return open.length === 0 ? undefined : Math.max(...open.map((period) => period.to)) + propagationOf(history);
}

/** The release whose deployment was the last to start before `at`. */
export function releaseAt(history: Pick<DrillHistory, 'releases'>, at: number): ReleaseHistory | undefined {
  return history.releases.filter((release) => release.startedAt <= at).at(-1);
}
