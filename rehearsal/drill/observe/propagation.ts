import { OPENING_DELAY_MS, ROUTING_CACHE_MS } from '../../../lambda/shared/routing/valve-update';
import { isLetThrough, type LaneName } from '../../../lib/contract';
import type { DrillHistory, ReleaseHistory } from '../report/history';

/** Interval at which routers read the alias. Cloud milliseconds. */
const ALIAS_POLL_MS = 30_000;
/**
 * Maximum time for which a router may use outdated routing: the poll of the alias, the delay of an opening, and its own cache.
 * Cloud milliseconds.
 */
const PROPAGATION_MS = ALIAS_POLL_MS + OPENING_DELAY_MS + ROUTING_CACHE_MS;

/** Maximum real milliseconds between the choice of a lane and its record: handlers run in real time. */
const HANDLER_REAL_MS = 1_000;

/** The same with injected faults, when clients retry. */
const HANDLER_WITH_FAULTS_REAL_MS = 6_000;

type RunConditions = Pick<DrillHistory, 'speed' | 'faults'>;

/** Maximum cloud milliseconds of a request. */
function handlerMs({ speed, faults }: RunConditions): number {
  return (faults === undefined ? HANDLER_REAL_MS : HANDLER_WITH_FAULTS_REAL_MS) * speed;
}

/** Maximum cloud milliseconds until a change of the valve applies to every request. */
export function propagationOf(history: RunConditions): number {
  return PROPAGATION_MS + handlerMs(history);
}

/** Lanes that a task of this user, accepted at this time, may have. */
export function allowedLanes(
  history: RunConditions & Pick<DrillHistory, 'bucketOf'>,
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

/** Time from which the valve is closed for every request; undefined if it never opened. */
export function closedSince(history: RunConditions, release: ReleaseHistory): number | undefined {
  const open = release.valve.filter((period) => period.share > 0);
  return open.length === 0 ? undefined : Math.max(...open.map((period) => period.to)) + propagationOf(history);
}

/** The release whose deployment was the last to start before `at`. */
export function releaseAt(history: Pick<DrillHistory, 'releases'>, at: number): ReleaseHistory | undefined {
  return history.releases.filter((release) => release.startedAt <= at).at(-1);
}
