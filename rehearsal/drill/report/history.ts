import type { TaskRecord } from '../../../lib/contract';
import type { FaultReport } from '../../chaos';
import type { ConfigurationDeploymentView } from '../../cloud';
import type { DeniedCall } from '../../core/ports';
import type { ReleaseVerdict, Scenario } from '../scenario/scenario';

/**
 * Everything that a drill recorded. The invariants and the report are pure functions of it. Times are cloud milliseconds
 * since 1970.
 */
export interface DrillHistory {
  readonly agent: string;
  /** Cloud milliseconds per real millisecond. */
  readonly speed: number;
  readonly handlerNode: HandlerNodeHistory;
  readonly submissions: readonly Submission[];
  /** Live tasks in the tasks table at the end. */
  readonly tasks: readonly TaskRecord[];
  readonly releases: readonly ReleaseHistory[];
  /** Number of results written, from the workers' metric; undefined without data. */
  readonly resultsWritten: number | undefined;
  /** Releases with a record in the control table. */
  readonly recordedReleases: readonly string[];
  readonly reads: readonly Read[];
  readonly authorization: { readonly calls: number; readonly denied: readonly DeniedCall[] };
  /** Calls that the rehearsal does not support, or without a network path, and their count. */
  readonly refusedCalls: Readonly<Record<string, number>>;
  readonly alarms: readonly AlarmHistory[];
  readonly provider: { readonly requests: number; readonly unmatched: number };
  readonly malformedMetricLines: { readonly count: number; readonly examples: readonly string[] };
  readonly destruction: Destruction | undefined;
  readonly cancellations: readonly Cancellation[];
  /** Webhooks that their receiver accepted. */
  readonly webhooks: readonly WebhookDelivery[];
  /** Ends of tasks, from the writes to the tasks table. */
  readonly ends: readonly TaskEnds[];
  /** Deployments of flags; absent or empty for agents without flags. */
  readonly flagDeployments?: readonly ConfigurationDeploymentView[];
  /** Ids of tasks whose messages are in the dead-letter queues at the end. */
  readonly deadLetters: readonly string[];
  /** Injected faults; undefined for a scenario without chaos. */
  readonly faults: FaultReport | undefined;
  /** Secrets that rotated under load; absent in a scenario without rotation. */
  readonly rotations?: RotationHistory;
  /** Places in which secrets were found; absent in a scenario without secrets to search for. */
  readonly leaks?: LeakHistory;
  /** Traces of the tasks. */
  readonly traces: TraceHistory;
  /** Calls during an outage of the primary model; absent in a scenario without an outage. */
  readonly failover?: FailoverHistory;
  /** A rate limit that the workers share, and the times of the calls to the provider. */
  readonly rateLimit?: NonNullable<Scenario['rateLimit']> & { readonly calls: readonly number[] };
  /** A budget that the traffic exhausted, and whether its alarm fired. */
  readonly budget?: NonNullable<Scenario['budget']> & { readonly alarmFired: boolean };
  /** Workers in containers; absent for workers on Lambda. */
  readonly workers?: WorkersHistory;
  /** What the agents executed; undefined for agents that do not log it. */
  readonly steps: StepHistory | undefined;
  /** Bucket of a user in the valve of a shift to this router version. */
  bucketOf(routerVersion: string, user: string): number;
}

/** The Node.js that ran the handlers, and the one that the template requests. */
export interface HandlerNodeHistory {
  /** Without a `v`. */
  readonly version: string;
  /** `Runtime` of the stack's functions, each value once. */
  readonly runtimes: readonly string[];
}

/** One request to `POST /tasks`, and its response. */
export interface Submission {
  readonly sequence: number;
  readonly user: string;
  readonly at: number;
  /** HTTP status of the last attempt; 0 without a response. */
  readonly status: number;
  readonly taskId?: string;
  /** Number of attempts, if more than one. */
  readonly attempts?: number;
  /** Sequence of the submission that this one repeats with the same idempotency key. */
  readonly repeats?: number;
  /** Error of a response other than 202. */
  readonly problem?: string;
}

/** A request to cancel a task, and the HTTP status of its response. */
export interface Cancellation {
  readonly taskId: string;
  readonly status: number;
}

/** A webhook that its receiver accepted. */
export interface WebhookDelivery {
  readonly taskId: string;
  /** `task.succeeded`, … */
  readonly type: string;
  /** Whether its signature is valid. */
  readonly signed: boolean;
}

/** How often a task ended. */
export interface TaskEnds {
  readonly taskId: string;
  /** Number of writes that made it final, or changed its result. */
  readonly ends: number;
  /** Number of redrives: each allows one more end. */
  readonly redrives: number;
}

/** Executions by agents: steps, tool calls, model calls. */
export interface StepHistory {
  /** Number of executions. */
  readonly executed: number;
  /** Number of results replayed from the journal, from the workers' metric. */
  readonly replayed: number;
  /** Executions that started after the journal had recorded them as finished. */
  readonly executedAfterFinish: readonly string[];
}

/** A task read through `GET /tasks/{id}` at the end. */
export interface Read {
  readonly taskId: string;
  readonly status: number;
  /** Status of the task in the response. */
  readonly taskStatus?: string;
}

export interface ReleaseHistory {
  readonly name: string;
  /** Release id; undefined when the app did not synthesize. */
  readonly id: string | undefined;
  readonly expected: ReleaseVerdict;
  readonly cause?: { readonly gate?: string | undefined; readonly reason?: string | undefined } | undefined;
  readonly expectNoChanges: boolean;
  readonly verdict: ReleaseVerdict;
  readonly reason: string;
  /** Promoted release at the end of this deployment. */
  readonly promotedAfter: string | undefined;
  /** Whether the deployment created the stack. */
  readonly first: boolean;
  /** Resources that the deployment changed, by path. */
  readonly changed: readonly string[];
  readonly startedAt: number;
  readonly endedAt: number;
  /** Router version of the traffic shift. */
  readonly routerVersion: string | undefined;
  /** Share of the valve over time. */
  readonly valve: readonly ValvePeriod[];
  /** Last status of the stack. */
  readonly stackStatus: string;
  /** Gates that stopped it. */
  readonly stoppedBy: readonly string[];
  readonly gates: readonly GateReading[];
  /** Real seconds from the first traffic shift to the end of the last; 0 without a shift. */
  readonly shiftSeconds: number;
  /** Number of messages in the candidate lane's queues before the next release, or at the end of the drill. */
  readonly candidateBacklog: number;
}

/**
 * The valve may have had this share at any time between `from` and `to`. Periods overlap where the moment of a change is
 * not known exactly.
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
  /** Resources that still exist although no removal policy retains them. */
  readonly leftovers: readonly string[];
  /** Paths of resources that their removal policy retains. */
  readonly retained: readonly string[];
}

/** Secrets that rotated under load, and the use of their keys. Keys are identified by number and never recorded. */
export interface RotationHistory {
  readonly rotations: readonly {
    /** Path of the secret. */
    readonly secret: string;
    /** Whether the new version became current and no version is pending. */
    readonly completed: boolean;
  }[];
  /** Keys of the pool, in order of use. */
  readonly keys: readonly { readonly accepted: number; readonly refused: number; readonly revoked: boolean }[];
  /** Number of service accounts created, and of those left after the last grace period. */
  readonly accounts: { readonly created: number; readonly left: number };
}

/** Result of the search for the scenario's secrets. The secrets themselves are never recorded. */
export interface LeakHistory {
  /** Number of secrets. */
  readonly secrets: number;
  /** Amount of searched content. */
  readonly searched: {
    readonly lines: number;
    readonly traces: number;
    readonly items: number;
    readonly messages: number;
  };
  /** Log groups, traces, tables and queues that contain a secret. */
  readonly found: readonly string[];
}

/** Whether each task that ran is one trace. */
export interface TraceHistory {
  /** Number of tasks that ran with a trace. */
  readonly checked: number;
  /** Tasks that ran under a trace other than that of their request. */
  readonly mismatched: readonly string[];
  /** Tasks with an attempt or a call without a segment. */
  readonly incomplete: readonly string[];
}

/** Calls during an outage of the primary model. */
export interface FailoverHistory {
  /** Pinned id of the primary model. */
  readonly model: string;
  /** Number of failed calls to it. */
  readonly failures: number;
  readonly maxFailures: number;
  /** Number of answers by fallbacks. */
  readonly fallbackAnswers: number;
  /** Rules of the provider that never answered. */
  readonly unusedRules: readonly string[];
}

/** Workers that ran in containers. */
export interface WorkersHistory {
  readonly runs: readonly WorkerRun[];
  /** Changes of the desired number of workers, oldest first. */
  readonly scalings: readonly Scaling[];
  /** Number of requeued tasks. */
  readonly requeued: number;
  /** Number of attempts whose lease expired: their worker was lost, or too slow to renew it. */
  readonly abandoned: number;
  /** Number of results that arrived after the lease had expired: their workers were too slow. */
  readonly late: number;
  /** Absent in a scenario without scaling. */
  readonly scaling?: NonNullable<Scenario['scaling']> & {
    /** Start of the traffic, while no worker ran. */
    readonly loadFrom: number;
    /** When the lane had no worker left; undefined when workers remained after the maximum wait. */
    readonly idleAt: number | undefined;
  };
  /** Absent in a scenario that stops no worker. */
  readonly workerStops?: NonNullable<Scenario['workerStops']> & {
    /** Number of busy workers that were stopped. */
    readonly stopped: number;
    /** Part of {@link WorkersHistory.requeued} before the first worker was stopped. */
    readonly requeuedBefore: number;
  };
}

/** One container task that ran a worker. */
export interface WorkerRun {
  readonly id: string;
  readonly lane: string;
  readonly zone: string;
  readonly createdAt: number;
  /** Start of its containers; undefined when they did not start. */
  readonly startedAt: number | undefined;
  readonly stoppedAt: number | undefined;
  /** Stop code of ECS, for example `ServiceSchedulerInitiated`. */
  readonly stopCode: string | undefined;
}

export interface Scaling {
  readonly lane: string;
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly cause: string;
}
