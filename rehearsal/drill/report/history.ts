import type { TaskRecord } from '../../../lib/contract';
import type { FaultReport } from '../../chaos';
import type { ConfigurationDeploymentView } from '../../cloud';
import type { DeniedCall } from '../../core/ports';
import type { Scenario, Verdict } from '../scenario/scenario';

/**
 * Everything that a drill wrote down while it ran. The invariants and the report are pure functions of it. Times are
 * cloud milliseconds since 1970.
 */
export interface DrillHistory {
  readonly agent: string;
  /** Cloud milliseconds per real millisecond. */
  readonly speed: number;
  readonly submissions: readonly Submission[];
  /** Live tasks as they stood in the tasks table at the end. */
  readonly tasks: readonly TaskRecord[];
  readonly releases: readonly ReleaseHistory[];
  /** Final results written, as counted by the worker's metric; undefined when nothing was counted. */
  readonly resultsWritten: number | undefined;
  /** Releases that the control table has a record of. */
  readonly recordedReleases: readonly string[];
  readonly reads: readonly Read[];
  readonly authorization: { readonly calls: number; readonly denied: readonly DeniedCall[] };
  /** Calls that named what the rehearsal does not have, or that no network carries, with how often. */
  readonly refusedCalls: Readonly<Record<string, number>>;
  readonly alarms: readonly AlarmHistory[];
  readonly provider: { readonly requests: number; readonly unmatched: number };
  readonly malformedMetricLines: { readonly count: number; readonly examples: readonly string[] };
  readonly destruction: Destruction | undefined;
  readonly cancellations: readonly Cancellation[];
  /** Webhooks that their receiver accepted. */
  readonly webhooks: readonly WebhookDelivery[];
  /** Ends of tasks, as the store saw them being written. */
  readonly ends: readonly TaskEnds[];
  /** Changes of the flags; absent or none for agents without flags. */
  readonly flagDeployments?: readonly ConfigurationDeploymentView[];
  /** Ids of tasks whose messages are in the dead-letter queues at the end. */
  readonly deadLetters: readonly string[];
  /** What went wrong on purpose; undefined for a scenario without chaos. */
  readonly faults: FaultReport | undefined;
  /** What became of secrets that rotated under load; absent in a scenario without. */
  readonly rotations?: RotationHistory;
  /** Where keys were left; absent in a scenario that plants none. */
  readonly leaks?: LeakHistory;
  /** What traces say of the tasks. */
  readonly traces: TraceHistory;
  /** What became of calls to a model that was away for a while; absent in a scenario without. */
  readonly failover?: FailoverHistory;
  /** A limit that the workers share, and when the provider was called. Cloud milliseconds since 1970. */
  readonly rateLimit?: NonNullable<Scenario['rateLimit']> & { readonly calls: readonly number[] };
  /** A budget that was used up, and whether its alarm fired. */
  readonly budget?: NonNullable<Scenario['budget']> & { readonly alarmFired: boolean };
  /** Workers in containers, and what became of them; absent for workers on Lambda. */
  readonly workers?: WorkersHistory;
  /** What the agents really did; undefined for agents that write nothing down. */
  readonly steps: StepHistory | undefined;
  /** Bucket of the valve that a user falls into when the shift goes to this router version; see the router. */
  bucketOf(routerVersion: string, user: string): number;
}

/** One request to `POST /tasks`, and what became of it. */
export interface Submission {
  readonly sequence: number;
  readonly user: string;
  readonly at: number;
  /** HTTP status of the last attempt; 0 when no answer came. */
  readonly status: number;
  readonly taskId?: string;
  /** Times that it was sent, if more than once. */
  readonly attempts?: number;
  /** Sequence of the submission that this one repeats under the same idempotency key. */
  readonly repeats?: number;
  /** What the answer said when it was not 202. */
  readonly problem?: string;
}

/** A caller's wish to cancel a task, and the HTTP status of its answer. */
export interface Cancellation {
  readonly taskId: string;
  readonly status: number;
}

/** A webhook as its receiver got it. */
export interface WebhookDelivery {
  readonly taskId: string;
  /** `task.succeeded`, … */
  readonly type: string;
  /** Whether its signature is right. */
  readonly signed: boolean;
}

/** How often a task came to an end. */
export interface TaskEnds {
  readonly taskId: string;
  /** Writes that made it final, or changed what it ended with. */
  readonly ends: number;
  /** Times that an operator sent it back: each allows one more end. */
  readonly redrives: number;
}

/** Things that agents did: steps, tools, model calls. */
export interface StepHistory {
  /** Times that something was begun. */
  readonly executed: number;
  /** Times that the journal gave what was done before, as the workers counted it. */
  readonly replayed: number;
  /** Things that were begun once more after the journal had them as finished. */
  readonly executedAfterFinish: readonly string[];
}

/** A task read back through `GET /tasks/{id}` at the end. */
export interface Read {
  readonly taskId: string;
  readonly status: number;
  /** Status of the task in the answer. */
  readonly taskStatus?: string;
}

export interface ReleaseHistory {
  readonly name: string;
  /** Release id, if the deployment got far enough to know it. */
  readonly id: string | undefined;
  readonly expected: Verdict;
  readonly cause?: { readonly gate?: string | undefined; readonly reason?: string | undefined } | undefined;
  readonly expectNoChanges: boolean;
  readonly verdict: Verdict;
  readonly reason: string;
  /** Release that was promoted when this deployment had ended. */
  readonly promotedAfter: string | undefined;
  /** Whether the deployment created the stack. */
  readonly first: boolean;
  /** Resources that the deployment changed, by path. */
  readonly changed: readonly string[];
  readonly startedAt: number;
  readonly endedAt: number;
  /** Router version that the valve was opened for. */
  readonly routerVersion: string | undefined;
  /** How far the valve was open, and when. */
  readonly valve: readonly ValvePeriod[];
  /** Last status of the stack. */
  readonly stackStatus: string;
  /** Gates that stopped it. */
  readonly stoppedBy: readonly string[];
  readonly gates: readonly GateReading[];
  /** Real seconds from the first traffic shift to the end of the last; 0 without a shift. */
  readonly shiftSeconds: number;
  /** Messages left in the candidate lane's queues when the next release was about to start, or the drill to end. */
  readonly candidateBacklog: number;
}

/**
 * The valve may have stood at `share` at any time from `from` to `to`. Periods overlap where the moment of a change is
 * known only roughly.
 */
export interface ValvePeriod {
  /** Share of the users that go to the candidate lane, 0 to 1. */
  readonly share: number;
  readonly from: number;
  readonly to: number;
}

export interface GateReading {
  readonly name: string;
  readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  readonly value: number | undefined;
  readonly threshold: number | undefined;
}

export interface AlarmHistory {
  readonly name: string;
  readonly hadData: boolean;
  /** Dimensions of those of its metrics that had no data. */
  readonly silent?: readonly Readonly<Record<string, string>>[];
}

export interface Destruction {
  readonly completed: boolean;
  /** Resources that could not be deleted, with the reason. */
  readonly failures: readonly string[];
  /** What is there although no removal policy retains it. */
  readonly leftovers: readonly string[];
  /** Paths of resources that their removal policy retains. */
  readonly retained: readonly string[];
}

/** Secrets that rotated under load, and what the provider saw of their keys. Keys are numbered: they are never written. */
export interface RotationHistory {
  readonly rotations: readonly {
    /** Path of the secret. */
    readonly secret: string;
    /** Whether the new version became current, and no other was left pending. */
    readonly completed: boolean;
  }[];
  /** Keys of the pool in the order of their use. */
  readonly keys: readonly { readonly accepted: number; readonly refused: number; readonly revoked: boolean }[];
  /** Service accounts that were ever created, and those that are left when the last grace period is over. */
  readonly accounts: { readonly created: number; readonly left: number };
}

/** Where the secrets of the scenario were looked for, and found. They are never written themselves. */
export interface LeakHistory {
  /** How many were looked for. */
  readonly secrets: number;
  /** How much was looked at. */
  readonly looked: {
    readonly lines: number;
    readonly traces: number;
    readonly items: number;
    readonly messages: number;
  };
  /** Places that hold one: log groups, traces, tables, queues. */
  readonly found: readonly string[];
}

/** Whether each task that ran is one trace. */
export interface TraceHistory {
  /** Tasks that ran under a trace. */
  readonly judged: number;
  /** What ran under a trace that its request did not come in with. */
  readonly astray: readonly string[];
  /** Tasks of whose attempts or calls no segment arrived. */
  readonly incomplete: readonly string[];
}

/** Calls to a model that was away for a while, and to those behind it. */
export interface FailoverHistory {
  /** Pinned id of the model that was away. */
  readonly model: string;
  /** Calls to it that failed. */
  readonly failures: number;
  readonly maxFailures: number;
  /** Answers that other models gave. */
  readonly fallbackAnswers: number;
  /** Rules of the provider that never answered. */
  readonly silentRules: readonly string[];
}

/** Workers that ran in containers. */
export interface WorkersHistory {
  readonly runs: readonly WorkerRun[];
  /** Changes of the count of workers that scaling asked for, oldest first. */
  readonly scalings: readonly Scaling[];
  /** Tasks that a worker handed back before its end. */
  readonly requeued: number;
  /** Attempts whose lease ran out: their worker went away without a word, or was too slow to renew it. */
  readonly abandoned: number;
  /** Results that came after their lease: of workers that lived, and were too slow. */
  readonly late: number;
  /** Absent in a scenario that asks for nothing of the kind. */
  readonly scaling?: NonNullable<Scenario['scaling']> & {
    /** When the first task was sent to no worker at all. */
    readonly loadFrom: number;
    /** When the lane had no worker left; undefined when it still had some after a long wait. */
    readonly idleAt: number | undefined;
  };
  /** Absent in a scenario in which no worker is told to stop. */
  readonly workerStops?: NonNullable<Scenario['workerStops']> & {
    /** Workers at work that were told to stop. */
    readonly stopped: number;
    /** Of {@link WorkersHistory.requeued}, those before the first was told. */
    readonly requeuedBefore: number;
  };
}

/** One container task that ran a worker. */
export interface WorkerRun {
  readonly id: string;
  readonly lane: string;
  readonly zone: string;
  readonly createdAt: number;
  /** When its containers ran; undefined when they never did. */
  readonly startedAt: number | undefined;
  readonly stoppedAt: number | undefined;
  /** As ECS gives it, for example `ServiceSchedulerInitiated`. */
  readonly stopCode: string | undefined;
}

export interface Scaling {
  readonly lane: string;
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly cause: string;
}
