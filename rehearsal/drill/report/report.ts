import { runtimeOf } from '../../core/handler-node';
import { checkInvariants, type InvariantResult } from '../invariants';
import { alarmsWithoutData } from '../invariants/cloud';
import { isDuring, routingViolations, usersOf } from '../invariants/routing';
import { acceptedIds, duplicateResults, lostIds } from '../invariants/tasks';
import { secondsToFirstWorker } from '../invariants/workers';
import type { ReleaseVerdict } from '../scenario/scenario';
import type { DrillHistory, GateReading, ReleaseHistory, WorkersHistory } from './history';

/** What `--json` writes. */
export interface DrillReport {
  readonly scenario: string;
  readonly seed: number;
  /** True when every invariant held. */
  readonly passed: boolean;
  /** Real seconds from the start of the run to its end. */
  readonly wallSeconds: number;
  /** Cloud seconds per real second. */
  readonly speed: number;
  readonly handlerNode: {
    /** Version of Node.js that the handlers ran on. */
    readonly version: string;
    /** `Runtime` of functions in the template with another major version. */
    readonly otherRuntimes: readonly string[];
  };
  readonly releases: readonly ReleaseReport[];
  readonly tasks: {
    /** Tasks accepted; a repeat under the same idempotency key is the same task. */
    readonly submitted: number;
    readonly succeeded: number;
    readonly failed: number;
    readonly timedOut: number;
    readonly cancelled: number;
    readonly lost: number;
    readonly duplicateResults: number;
  };
  /** What went wrong on purpose; absent for a scenario without chaos. */
  readonly faults?: {
    readonly injected: number;
    readonly byKind: Readonly<Record<string, number>>;
    /** Kind → what it met → how often. */
    readonly byTarget: Readonly<Record<string, Readonly<Record<string, number>>>>;
  };
  /** Steps, tools and model calls; absent for an agent that does not write down what it does. */
  readonly steps?: { readonly executed: number; readonly replayed: number; readonly executedAfterFinish: number };
  /** Workers in containers; absent for workers on Lambda. */
  readonly workers?: WorkersReport;
  readonly routing: { readonly violations: number; readonly examples: readonly string[] };
  readonly authorization: { readonly calls: number; readonly denied: DrillHistory['authorization']['denied'] };
  readonly alarmsWithoutData: readonly string[];
  readonly invariants: readonly InvariantResult[];
}

export interface WorkersReport {
  readonly started: number;
  /** Why ECS stopped them → how many. */
  readonly stopped: Readonly<Record<string, number>>;
  /** Number of requeued tasks. */
  readonly requeued: number;
  /** Attempts whose lease ran out. */
  readonly abandoned: number;
  /** Results that came after their lease: that many of the attempts were not abandoned by a worker that went away. */
  readonly late: number;
  /** Workers asked for, whenever the count changed. Seconds of the cloud since the first task. */
  readonly scaling: readonly {
    readonly lane: string;
    readonly second: number;
    readonly from: number;
    readonly to: number;
    readonly cause: string;
  }[];
  /** Seconds of the cloud from the first task until a worker ran, where a scenario asks for it. */
  readonly secondsToFirstWorker?: number;
}

export interface ReleaseReport {
  readonly name: string;
  /** Release id; null when the deployment did not get far enough to have one. */
  readonly id: string | null;
  readonly expected: ReleaseVerdict;
  readonly verdict: ReleaseVerdict;
  readonly reason: string;
  /** Real seconds from the first traffic shift to the end of the last; 0 without a shift. */
  readonly shiftSeconds: number;
  /** Users who sent tasks from the start of this deployment to the start of the next. */
  readonly usersTotal: number;
  /** Of these, the ones who had a task in the candidate lane. */
  readonly usersOnCandidate: number;
  readonly tasks: { readonly stable: number; readonly candidate: number };
  readonly gates: readonly {
    readonly name: string;
    readonly state: GateReading['state'];
    readonly value: number | null;
    readonly threshold: number | null;
  }[];
}

export interface RunFacts {
  readonly scenario: string;
  readonly seed: number;
  readonly wallSeconds: number;
}

/** Judges the history and sums it up. */
export function buildReport(history: DrillHistory, run: RunFacts): DrillReport {
  const { handlerNode } = history;
  const invariants = checkInvariants(history);
  const violations = routingViolations(history);
  const count = (status: string) => history.tasks.filter((task) => task.status === status).length;
  return {
    scenario: run.scenario,
    seed: run.seed,
    passed: invariants.every((invariant) => invariant.held),
    wallSeconds: Math.round(run.wallSeconds * 10) / 10,
    speed: history.speed,
    handlerNode: {
      version: handlerNode.version,
      otherRuntimes: handlerNode.runtimes.filter((runtime) => runtime !== runtimeOf(handlerNode.version)),
    },
    releases: history.releases.map((release) => releaseReport(history, release)),
    tasks: {
      submitted: acceptedIds(history).size,
      succeeded: count('succeeded'),
      failed: count('failed'),
      timedOut: count('timed_out'),
      cancelled: count('cancelled'),
      lost: lostIds(history).length,
      duplicateResults: duplicateResults(history),
    },
    faults: history.faults,
    ...(history.steps === undefined
      ? {}
      : { steps: { ...history.steps, executedAfterFinish: history.steps.executedAfterFinish.length } }),
    ...(history.workers === undefined ? {} : { workers: workersReport(history, history.workers) }),
    routing: { violations: violations.length, examples: violations.slice(0, 10) },
    authorization: history.authorization,
    alarmsWithoutData: alarmsWithoutData(history),
    invariants,
  };
}

function workersReport({ submissions, releases }: DrillHistory, workers: WorkersHistory): WorkersReport {
  const { runs, scalings, requeued, abandoned, late } = workers;
  const since = workers.scaling?.loadFrom ?? submissions[0]?.at ?? releases[0]?.startedAt ?? 0;
  const stopped: Record<string, number> = {};
  for (const { stopCode } of runs) {
    if (stopCode !== undefined) {
      stopped[stopCode] = (stopped[stopCode] ?? 0) + 1;
    }
  }
  const first = secondsToFirstWorker(workers);
  return {
    started: runs.filter(({ startedAt }) => startedAt !== undefined).length,
    stopped,
    requeued,
    abandoned,
    late,
    scaling: scalings.map(({ at, ...change }) => ({ ...change, second: Math.round((at - since) / 1000) })),
    secondsToFirstWorker: first,
  };
}

function releaseReport(history: DrillHistory, release: ReleaseHistory): ReleaseReport {
  const tasks = history.tasks.filter((task) => isDuring(history, release, task));
  const candidate = tasks.filter((task) => task.lane === 'candidate');
  return {
    name: release.name,
    id: release.id ?? null,
    expected: release.expected,
    verdict: release.verdict,
    reason: release.reason,
    shiftSeconds: Math.round(release.shiftSeconds * 10) / 10,
    usersTotal: usersOf(tasks).size,
    usersOnCandidate: usersOf(candidate).size,
    tasks: { stable: tasks.length - candidate.length, candidate: candidate.length },
    gates: release.gates.map(({ name, state, value, threshold }) => ({
      name,
      state,
      value: value ?? null,
      threshold: threshold ?? null,
    })),
  };
}
