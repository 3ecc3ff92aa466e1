import { isLetThrough, type TaskRecord } from '../../../lib/contract';
import { allowedLanes, closedSince, releaseAt } from '../observe/propagation';
import type { DrillHistory, ReleaseHistory } from '../report/history';
import { findingOf, type Invariant, plural } from './invariant';

/** Tasks whose lane the valve does not explain, and users who changed lanes repeatedly. */
export function routingViolations(history: DrillHistory): readonly string[] {
  return [...unexplainedLanes(history), ...usersMovedRepeatedly(history)];
}

export const lanesFollowValve: Invariant = {
  name: 'lanes-follow-valve',
  promise: 'every task is in the lane that the valve gave its user when the task was accepted',
  check: (history) => findingOf(unexplainedLanes(history), plural(history.tasks.length, 'task')),
};

export const oneReleasePerUser: Invariant = {
  name: 'one-release-per-user',
  promise: 'within a rollout a user moves to the candidate at most once, and back at most once',
  check: (history) => findingOf(usersMovedRepeatedly(history), `${plural(usersOf(history.tasks).size, 'user')}`),
};

export const withinValve: Invariant = {
  name: 'within-valve',
  promise: 'a rolled-back release reached no more users than the valve let through',
  check: (history) => {
    const broken: string[] = [];
    const held: string[] = [];
    for (const release of history.releases) {
      if (release.verdict === 'promoted' || release.id === undefined) {
        continue;
      }
      const met = usersOf(
        history.tasks.filter(
          (task) => task.release === release.id && task.lane === 'candidate' && isDuring(history, release, task),
        ),
      );
      const share = Math.max(0, ...release.valve.map((period) => period.share));
      const total = usersOf(history.tasks.filter((task) => isDuring(history, release, task))).size;
      const most = upperBound(total, share);
      const outside = [...met].filter(
        (user) =>
          release.routerVersion === undefined || !isLetThrough(share, history.bucketOf(release.routerVersion, user)),
      );
      if (outside.length > 0) {
        broken.push(`${release.name} reached ${outside.join(', ')}, who are outside ${percent(share)} of the users`);
      } else if (met.size > most) {
        broken.push(
          `${release.name} reached ${met.size} of ${plural(total, 'user')} with the valve at ${percent(share)}, expected at most ${most}`,
        );
      }
      held.push(`${release.name} reached ${met.size} of ${plural(total, 'user')}, valve at most ${percent(share)}`);
    }
    return findingOf(broken, held.join('; ') || 'no release was rolled back');
  },
};

export const stableAfterRollback: Invariant = {
  name: 'stable-after-rollback',
  promise: 'after a rollback every new task goes to the stable lane and runs on the promoted release',
  check: (history) => {
    const broken: string[] = [];
    let checked = 0;
    for (const release of history.releases) {
      if (release.verdict === 'promoted' || release.first) {
        continue;
      }
      const since = Math.max(release.endedAt, closedSince(history, release) ?? 0);
      for (const task of history.tasks) {
        if (task.createdAt <= since || releaseAt(history, task.createdAt) !== release) {
          continue;
        }
        checked += 1;
        if (task.lane !== 'stable') {
          broken.push(`${task.id} of ${task.user} went to the ${task.lane} lane after the rollback of ${release.name}`);
        } else if (task.release !== undefined && !mayHaveRunLater(history, release, task)) {
          broken.push(
            `${task.id} ran on ${task.release} after the rollback of ${release.name}, expected the promoted ${release.promotedAfter}`,
          );
        }
      }
    }
    return findingOf(broken, `${plural(checked, 'task')} after rollbacks`);
  },
};

export const candidateLaneEmpty: Invariant = {
  name: 'candidate-lane-empty',
  promise: 'the candidate lane is empty after a rollout',
  check: ({ releases }) =>
    findingOf(
      releases
        .filter((release) => release.candidateBacklog > 0)
        .map((release) => `${plural(release.candidateBacklog, 'message')} left after ${release.name}`),
      plural(releases.length, 'rollout'),
    ),
};

export const releasesRecorded: Invariant = {
  name: 'releases-recorded',
  promise: 'every release that ran a task or was promoted has a record',
  check: ({ tasks, releases, recordedReleases }) => {
    const recorded = new Set(recordedReleases);
    const used = new Set([
      ...tasks.flatMap((task) => (task.release === undefined ? [] : [task.release])),
      ...releases.flatMap((release) =>
        release.verdict === 'promoted' && release.id !== undefined ? [release.id] : [],
      ),
    ]);
    return findingOf(
      [...used].filter((id) => !recorded.has(id)).map((id) => `${id} has no record`),
      plural(recorded.size, 'release'),
    );
  },
};

/** Whether the task was accepted between the start of this deployment and the start of the next. */
export function isDuring(history: DrillHistory, release: ReleaseHistory, task: TaskRecord): boolean {
  return releaseAt(history, task.createdAt) === release;
}

export function usersOf(tasks: readonly TaskRecord[]): ReadonlySet<string> {
  return new Set(tasks.map((task) => task.user));
}

/**
 * A task accepted late may wait in the queue, or for another attempt, until a later deployment has updated the stable
 * lane: the record has the release of its last attempt.
 */
function mayHaveRunLater(history: DrillHistory, release: ReleaseHistory, task: TaskRecord): boolean {
  const ranUntil = (task.attempts > 1 ? task.finishedAt : task.startedAt) ?? Number.NEGATIVE_INFINITY;
  const later = history.releases.slice(history.releases.indexOf(release) + 1);
  return (
    task.release === release.promotedAfter ||
    later.some(({ id, startedAt }) => id === task.release && ranUntil >= startedAt)
  );
}

function unexplainedLanes(history: DrillHistory): readonly string[] {
  return history.tasks.flatMap((task) => {
    const release = releaseAt(history, task.createdAt);
    if (release === undefined) {
      return [`${task.id} was accepted before the first deployment`];
    }
    const allowed = allowedLanes(history, release, task.user, task.createdAt);
    return allowed.has(task.lane)
      ? []
      : [
          `${task.id} of ${task.user} went to the ${task.lane} lane ${Math.round((task.createdAt - release.startedAt) / 1000)} s into ${release.name}, expected ${[...allowed].join(' or ') || 'no task then'}`,
        ];
  });
}

function usersMovedRepeatedly(history: DrillHistory): readonly string[] {
  const broken: string[] = [];
  for (const release of history.releases) {
    const lanesByUser = new Map<string, TaskRecord[]>();
    for (const task of history.tasks) {
      if (isDuring(history, release, task)) {
        lanesByUser.set(task.user, [...(lanesByUser.get(task.user) ?? []), task]);
      }
    }
    for (const [user, tasks] of lanesByUser) {
      const lanes = tasks
        .sort((a, b) => a.createdAt - b.createdAt)
        .map((task) => task.lane)
        .filter((lane, index, all) => lane !== all[index - 1]);
      const path = lanes.join(' → ');
      if (
        !['stable', 'candidate', 'stable → candidate', 'candidate → stable', 'stable → candidate → stable'].includes(
          path,
        )
      ) {
        broken.push(`${user} went ${path} during ${release.name}`);
      }
    }
  }
  return broken;
}

/** Maximum number of users in a random share: four standard deviations above the mean, plus one for small numbers. */
export function upperBound(users: number, share: number): number {
  return Math.min(users, Math.floor(users * share + 4 * Math.sqrt(users * share * (1 - share)) + (share > 0 ? 1 : 0)));
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`;
}
