import type { DrillHistory, WorkersHistory } from '../report/history';
import { type Finding, type Invariant, judge, plural } from './invariant';

/** Faults that end or stop a process in the midst of its work: tasks may then be left behind, or handed back. */
const INTERRUPTING = ['workersKilled', 'workersFrozen', 'workersStopped', 'heartbeatsHeld'] as const;

/** Share of the tasks whose leases may run out at workers that live: a machine that is busy is late at times. */
const MAX_LATE = 0.05;

export const busyWorkersStay: Invariant = {
  name: 'busy-workers-stay',
  promise: 'deployments and scaling end no worker that is at work: none hands back a task, and none vanishes with one',
  check: (history) =>
    withWorkers(history, (workers) => {
      const { runs, requeued, stops } = workers;
      if (
        INTERRUPTING.some(
          (kind) => ((history.faults?.byKind as Readonly<Record<string, number>> | undefined)?.[kind] ?? 0) > 0,
        )
      ) {
        return { held: true, detail: 'not judged: workers were interrupted on purpose' };
      }
      const interrupted = stops?.requeuedBefore ?? requeued;
      const scheduled = runs.filter(({ stopCode }) => stopCode === 'ServiceSchedulerInitiated');
      return judge(
        [
          ...(interrupted > 0 ? [`${plural(interrupted, 'task')} handed back`] : []),
          ...leasesRunOut(workers, history.tasks.length),
        ],
        `${scheduled.length} of ${plural(runs.length, 'worker')} ended by deployments and scaling`,
      );
    }),
};

export const toldWorkersHandBack: Invariant = {
  name: 'told-workers-hand-back',
  promise: 'a worker that is told to stop hands back what it cannot finish, and somebody else finishes it',
  check: (history) =>
    withWorkers(history, (workers) => {
      const { stops, requeued } = workers;
      if (stops === undefined) {
        return { held: true, detail: 'not judged: no worker was told to stop' };
      }
      const after = requeued - stops.requeuedBefore;
      const resumed = history.tasks.filter(({ status, attempts }) => status === 'succeeded' && attempts > 1);
      return judge(
        [
          ...(stops.told < stops.workers ? [`${stops.told} of ${stops.workers} workers were told to stop`] : []),
          ...(after === 0 ? ['no task was handed back'] : []),
          ...(resumed.length === 0 ? ['no task was finished by another worker'] : []),
          ...leasesRunOut(workers, history.tasks.length),
        ],
        `${plural(stops.told, 'worker')} told, ${plural(after, 'task')} handed back, ${resumed.length} finished by others`,
      );
    }),
};

export const lanesFollowTheLoad: Invariant = {
  name: 'lanes-follow-the-load',
  promise:
    'workers come with the load, from none, spread over zones, never one alone, and go when it is over, without flapping',
  check: (history) =>
    withWorkers(history, (workers) => {
      const { scaling } = workers;
      if (scaling === undefined) {
        return { held: true, detail: 'not judged: the scenario asks for no scaling' };
      }
      const counts = countsUnderLoad(workers);
      const most = Math.max(0, ...counts);
      const first = secondsToFirst(workers);
      const zones = new Set(
        workers.runs
          .filter(({ lane, startedAt }) => lane === scaling.lane && (startedAt ?? 0) > scaling.loadFrom)
          .map(({ zone }) => zone),
      );
      const peak = counts.indexOf(most);
      const flaps = [...counts.entries()].filter(
        ([at, count]) => at > 0 && (at <= peak ? count < (counts[at - 1] ?? 0) : count > (counts[at - 1] ?? 0)),
      );
      const text = `0 → ${counts.join(' → ')}`;
      return judge(
        [
          ...(first === undefined ? ['no worker came'] : []),
          ...(first !== undefined && first > scaling.firstWithinSeconds
            ? [`the first worker ran after ${first} s, expected ${scaling.firstWithinSeconds} s at most`]
            : []),
          ...(most === scaling.max ? [] : [`at most ${most} workers were asked for, expected ${scaling.max}`]),
          ...counts
            .filter((count) => count > 0 && count < scaling.floor)
            .map((count) => `down to ${count} of ${scaling.floor}`),
          ...(flaps.length > 0 ? [`it flapped: ${text}`] : []),
          ...(zones.size < Math.min(2, scaling.floor)
            ? [`all workers were in ${[...zones].join(', ') || 'no zone'}`]
            : []),
          ...(scaling.idleAt === undefined ? ['workers were left when the load was long over'] : []),
        ],
        `${text}; the first after ${first} s, in ${plural(zones.size, 'zone')}`,
      );
    }),
};

/** Cloud seconds from the first task until a worker ran that had not been there. */
export function secondsToFirst({ runs, scaling }: WorkersHistory): number | undefined {
  if (scaling === undefined) {
    return undefined;
  }
  const starts = runs.flatMap(({ lane, startedAt }) =>
    lane === scaling.lane && startedAt !== undefined && startedAt >= scaling.loadFrom ? [startedAt] : [],
  );
  return starts.length === 0 ? undefined : Math.round((Math.min(...starts) - scaling.loadFrom) / 1000);
}

/** Nobody else is late where nothing fails on purpose: each late result is of an attempt that was taken over. */
function leasesRunOut({ abandoned, late }: WorkersHistory, tasks: number): readonly string[] {
  const vanished = abandoned - late;
  return [
    ...(vanished > 0 ? [`${plural(vanished, 'attempt')} abandoned`] : []),
    ...(late > tasks * MAX_LATE ? [`${plural(late, 'result')} came after the lease: workers were too slow`] : []),
  ];
}

/** What scaling asked for since the load came, one after the other. */
function countsUnderLoad({ scalings, scaling }: WorkersHistory): readonly number[] {
  return scalings.filter(({ lane, at }) => lane === scaling?.lane && at >= scaling.loadFrom).map(({ to }) => to);
}

function withWorkers({ workers }: DrillHistory, check: (workers: WorkersHistory) => Finding): Finding {
  return workers === undefined ? { held: true, detail: 'not judged: no worker ran in a container' } : check(workers);
}
