import type { LaneName } from '../../lib/contract';
import type { DrillHistory, ReleaseHistory } from './history';

/**
 * How long a router may go on by what it knew before: 30 s until the fleet looks at the alias again, 10 s until an
 * opening takes effect for all, 5 s of its own cache. Cloud milliseconds.
 */
const PROPAGATION_MS = 45_000;

/** Handlers run in real time while the cloud's clock is compressed: what a request may take between choosing a lane and recording it. */
const HANDLER_REAL_MS = 1_000;

/** Cloud milliseconds that a change of the valve may take to reach every request, at this speed. */
export function propagationOf(history: Pick<DrillHistory, 'speed'>): number {
  return PROPAGATION_MS + HANDLER_REAL_MS * history.speed;
}

/** Lanes that a task of this user, accepted at `at`, may have been given. */
export function allowedLanes(
  history: Pick<DrillHistory, 'speed' | 'bucketOf'>,
  release: ReleaseHistory,
  user: string,
  at: number,
  valveBuckets: number,
): ReadonlySet<LaneName> {
  const lag = propagationOf(history);
  const ahead = HANDLER_REAL_MS * history.speed;
  const lanes = new Set<LaneName>();
  for (const period of release.valve) {
    if (period.from <= at + ahead && at <= period.to + lag) {
      const open =
        release.routerVersion !== undefined &&
        history.bucketOf(release.routerVersion, user) < period.share * valveBuckets;
      lanes.add(open ? 'candidate' : 'stable');
    }
  }
  return lanes;
}

/** When the valve had certainly closed for every request, or undefined while it never opened. */
export function closedSince(history: Pick<DrillHistory, 'speed'>, release: ReleaseHistory): number | undefined {
  const open = release.valve.filter((period) => period.share > 0);
  return open.length === 0 ? undefined : Math.max(...open.map((period) => period.to)) + propagationOf(history);
}

/** The release whose deployment was the last to start before `at`. */
export function releaseAt(history: Pick<DrillHistory, 'releases'>, at: number): ReleaseHistory | undefined {
  return history.releases.filter((release) => release.startedAt <= at).at(-1);
}
