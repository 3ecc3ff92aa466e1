import type { DrillHistory, WorkersHistory } from '../report/history';
import { type Finding, findingOf, type Invariant, plural } from './invariant';

/** Faults that interrupt a process while it works: tasks may then be abandoned or requeued. */
const INTERRUPTING = ['workersKilled', 'workersFrozen', 'workersStopped', 'heartbeatsHeld'] as const;

/** Share of the tasks whose lease may expire although their worker lives: a busy machine renews some leases late. */
const MAX_LATE_SHARE = 0.05;

export const busyWorkersNotStopped: Invariant = {
  name: 'busy-workers-not-stopped',
  promise: 'deployments and scaling stop no busy worker: no task is requeued or abandoned',
  check: (history) =>
    withWorkers(history, (workers) => {
      const { runs, requeued, workerStops } = workers;
      if (
        INTERRUPTING.some(
          (kind) => ((history.faults?.byKind as Readonly<Record<string, number>> | undefined)?.[kind] ?? 0) > 0,
        )
      ) {
        return { held: true, detail: 'not checked: the scenario interrupts workers' };
      }
      const interrupted = workerStops?.requeuedBefore ?? requeued;
      const scheduled = runs.filter(({ stopCode }) => stopCode === 'ServiceSchedulerInitiated');
      return findingOf(
        [
          ...(interrupted > 0 ? [`${plural(interrupted, 'task')} requeued`] : []),
          ...expiredLeases(workers, history.tasks.length),
        ],
        `${scheduled.length} of ${plural(runs.length, 'worker')} stopped by deployments and scaling`,
      );
    }),
};

export const stoppedWorkersRequeue: Invariant = {
  name: 'stopped-workers-requeue',
  promise: 'a stopped worker requeues the tasks that it cannot finish, and another worker finishes them',
  check: (history) =>
    withWorkers(history, (workers) => {
      const { workerStops, requeued } = workers;
      if (workerStops === undefined) {
        return { held: true, detail: 'not checked: the scenario stops no worker' };
      }
      const after = requeued - workerStops.requeuedBefore;
      const resumed = history.tasks.filter(({ status, attempts }) => status === 'succeeded' && attempts > 1);
      return findingOf(
        [
          ...(workerStops.stopped < workerStops.count
            ? [`${workerStops.stopped} of ${workerStops.count} workers were stopped`]
            : []),
          ...(after === 0 ? ['no task was requeued'] : []),
          ...(resumed.length === 0 ? ['no task was finished by another worker'] : []),
          ...expiredLeases(workers, history.tasks.length),
        ],
        `${plural(workerStops.stopped, 'worker')} stopped, ${plural(after, 'task')} requeued, ${resumed.length} finished by another worker`,
      );
    }),
};

export const workersScaleWithLoad: Invariant = {
  name: 'workers-scale-with-load',
  promise: 'workers scale with the load from zero to the maximum and back to zero, across zones, without flapping',
  check: (history) =>
    withWorkers(history, (workers) => {
      const { scaling } = workers;
      if (scaling === undefined) {
        return { held: true, detail: 'not checked: the scenario has no scaling' };
      }
      const counts = countsUnderLoad(workers);
      const peakCount = Math.max(0, ...counts);
      const first = secondsToFirstWorker(workers);
      const zones = new Set(
        workers.runs
          .filter(({ lane, startedAt }) => lane === scaling.lane && (startedAt ?? 0) > scaling.loadFrom)
          .map(({ zone }) => zone),
      );
      const peak = counts.indexOf(peakCount);
      const flaps = [...counts.entries()].filter(
        ([at, count]) => at > 0 && (at <= peak ? count < (counts[at - 1] ?? 0) : count > (counts[at - 1] ?? 0)),
      );
      const text = `0 → ${counts.join(' → ')}`;
      return findingOf(
        [
          ...(first === undefined ? ['no worker started'] : []),
          ...(first !== undefined && first > scaling.maxSecondsToFirstWorker
            ? [`the first worker ran after ${first} s, expected at most ${scaling.maxSecondsToFirstWorker} s`]
            : []),
          ...(peakCount === scaling.maxWorkers
            ? []
            : [`the desired count reached ${peakCount}, expected ${scaling.maxWorkers}`]),
          ...counts
            .filter((count) => count > 0 && count < scaling.minWorkers)
            .map((count) => `the desired count fell to ${count}, expected at least ${scaling.minWorkers}`),
          ...(flaps.length > 0 ? [`the desired count flapped: ${text}`] : []),
          ...(zones.size < Math.min(2, scaling.minWorkers)
            ? [`all workers ran in ${[...zones].join(', ') || 'no zone'}`]
            : []),
          ...(scaling.idleAt === undefined ? ['workers still ran long after the end of the load'] : []),
        ],
        `${text}; first worker after ${first} s, in ${plural(zones.size, 'zone')}`,
      );
    }),
};

/** Cloud seconds from the first task until the first new worker ran. */
export function secondsToFirstWorker({ runs, scaling }: WorkersHistory): number | undefined {
  if (scaling === undefined) {
    return undefined;
  }
  const starts = runs.flatMap(({ lane, startedAt }) =>
    lane === scaling.lane && startedAt !== undefined && startedAt >= scaling.loadFrom ? [startedAt] : [],
  );
  return starts.length === 0 ? undefined : Math.round((Math.min(...starts) - scaling.loadFrom) / 1000);
}

/** Without injected faults, each late result belongs to an attempt that another worker took over. */
function expiredLeases({ abandoned, late }: WorkersHistory, tasks: number): readonly string[] {
  const lost = abandoned - late;
  return [
    ...(lost > 0 ? [`${plural(lost, 'attempt')} abandoned`] : []),
    ...(late > tasks * MAX_LATE_SHARE
      ? [`${plural(late, 'result')} arrived after the lease expired: workers were too slow`]
      : []),
  ];
}

/** Desired counts since the start of the load, oldest first. */
function countsUnderLoad({ scalings, scaling }: WorkersHistory): readonly number[] {
  return scalings.filter(({ lane, at }) => lane === scaling?.lane && at >= scaling.loadFrom).map(({ to }) => to);
}

function withWorkers({ workers }: DrillHistory, check: (workers: WorkersHistory) => Finding): Finding {
  return workers === undefined ? { held: true, detail: 'not checked: no worker ran in a container' } : check(workers);
}
