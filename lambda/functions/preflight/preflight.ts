import { randomUUID } from 'node:crypto';
import { Dimension, FINAL_STATUSES, PreflightMetric, type TaskRecord } from '../../../lib/contract';
import type { HookResult } from '../../shared/aws/lifecycle-hook';
import { retryUntilAvailable } from '../../shared/aws/retry-until-available';
import { type Clock, scaleTimeout } from '../../shared/clock';
import type { MetricEmitter } from '../../shared/telemetry/emf';
import { newTraceHeader } from '../../shared/telemetry/trace-header';
import { judgeProbe } from './judge-probe';
import { newProbe } from './probe-task';

/** Milliseconds (cloud time) between two looks at the probe. */
const POLL_MS = 2_000;

/** Real milliseconds that the probe is given at least; see {@link scaleTimeout}. */
const MIN_REAL_MS = 20_000;

export interface PreflightDeps {
  readonly agent: string;
  readonly release: string;
  /** Cloud time that the probe may take; see {@link scaleTimeout}. */
  readonly timeoutSeconds: number;
  readonly tasks: {
    create(task: TaskRecord, token: string): Promise<boolean>;
    get(taskId: string): Promise<TaskRecord | undefined>;
  };
  readonly queues: { send(task: TaskRecord, traceHeader: string): Promise<void> };
  readonly metrics: MetricEmitter;
  readonly clock: Clock;
}

/**
 * The deep health check: sends a probe through the candidate's queue, as a task would go, and waits for its result. It
 * proves that the new release's worker gets messages, loads its behavior, reads its secrets, reaches its store and its
 * model, and carries the trace on, before any user meets it. A short outage of the store or a queue proves nothing
 * about the release: the hook retries while it has time.
 */
export async function runPreflight(props: PreflightDeps, signal?: AbortSignal): Promise<HookResult> {
  const { agent, clock, metrics, queues, release, tasks, timeoutSeconds } = props;
  const start = clock.now();
  const probe = newProbe(agent, start);
  const traceHeader = newTraceHeader(start);
  const end = start + scaleTimeout(timeoutSeconds * 1000, MIN_REAL_MS);
  const token = randomUUID();
  const scaledTimeout = { until: end, pauseMs: POLL_MS, clock, signal };
  if (!(await retryUntilAvailable(() => tasks.create(probe, token), scaledTimeout))) {
    throw new Error(`the id of the probe, ${probe.id}, is taken`);
  }
  await retryUntilAvailable(() => queues.send(probe, traceHeader), scaledTimeout);
  metrics.withDimensions({ [Dimension.LANE]: probe.lane }).count(PreflightMetric.PROBES);
  for (;;) {
    const task = await retryUntilAvailable(() => tasks.get(probe.id), scaledTimeout);
    if (task === undefined) {
      return { passed: false, reason: `preflight failed: the record of the probe ${probe.id} disappeared` };
    }
    if (FINAL_STATUSES.includes(task.status)) {
      return judgeProbe(task, { release, traceHeader });
    }
    const left = end - clock.now();
    if (left <= 0) {
      return { passed: false, reason: stuck(task, timeoutSeconds), details: { task: task.id, release } };
    }
    await clock.sleep(Math.min(POLL_MS, left), signal);
  }
}

function stuck({ attempts, status }: TaskRecord, timeoutSeconds: number): string {
  const clue =
    status === 'queued' && attempts === 0
      ? "no worker claimed it: look at what serves the candidate lane (event source mappings, or the service and its events) and at the worker's log"
      : `attempt ${attempts} did not end: look at the worker's log`;
  return `preflight failed: the probe was still ${status} after ${timeoutSeconds} s; ${clue}`;
}
