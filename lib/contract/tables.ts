/**
 * Keys of the three tables. Every table has the partition key `pk` and the sort key `sk`, both strings, and expires
 * items by `expiresAt` (seconds since 1970).
 */
export const PARTITION_KEY = 'pk';
export const SORT_KEY = 'sk';
export const TTL_ATTRIBUTE = 'expiresAt';
/** Random token of a conditional write: a retry after a lost response recognizes its own write. */
export const WRITE_TOKEN_ATTRIBUTE = 'writeToken';

export interface TableKey {
  readonly pk: string;
  readonly sk: string;
}

export const TASK_SORT_KEY = 'TASK';
export const STEP_SORT_KEY_PREFIX = 'STEP#';

/** Tasks table: a partition per task. */
export const TaskKey = {
  task: (taskId: string): TableKey => ({ pk: taskId, sk: TASK_SORT_KEY }),
  /** Entry of the step journal; see journal.ts. */
  step: (taskId: string, key: string): TableKey => ({ pk: taskId, sk: `${STEP_SORT_KEY_PREFIX}${key}` }),
  /** Feedback of one user on the task's result. @param user digest */
  feedback: (taskId: string, user: string): TableKey => ({ pk: taskId, sk: `FEEDBACK#${user}` }),
  /** Running tasks of one user: written only where their number is limited. @param user digest */
  inFlight: (user: string): TableKey => ({ pk: `USER#${user}`, sk: 'IN_FLIGHT' }),
} as const;

/** Sessions table: a partition per session. */
export const SessionKey = {
  state: (agent: string, session: string): TableKey => ({ pk: `${agent}#${session}`, sk: 'STATE' }),
} as const;

/** Partition of the control table that the router reads (and, for the valve alone, writes). */
export const ROUTING_PARTITION = 'ROUTING';

/** Partition of the control table with the backlog snapshot. Router and status API read and write it. */
export const BACKLOG_PARTITION = 'BACKLOG';

export const RELEASE_PARTITION_PREFIX = 'RELEASE#';
export const LIMIT_PARTITION_PREFIX = 'LIMIT#';
export const BUDGET_PARTITION_PREFIX = 'BUDGET#';

/** Control table. */
export const ControlKey = {
  /** The promoted release: written by the promoted record. */
  promoted: { pk: ROUTING_PARTITION, sk: 'PROMOTED' },
  /** The current or the last rollout: written by the release record and the promoted record. */
  rollout: { pk: ROUTING_PARTITION, sk: 'ROLLOUT' },
  /** State of the router's alias on which all routers agree: written by the router that read the alias last. */
  valve: { pk: ROUTING_PARTITION, sk: 'VALVE' },
  /** Snapshot of the queues; see backlog.ts. */
  backlog: { pk: BACKLOG_PARTITION, sk: 'SNAPSHOT' },
  /** Shared limit of a provider: see limits.ts. @param meter `requests` or `tokens` */
  rateLimit: (provider: string, meter: string): TableKey => ({ pk: `${LIMIT_PARTITION_PREFIX}${provider}`, sk: meter }),
  /** Cost of all tasks of a day (`2026-01-31`, UTC). */
  agentBudget: (day: string): TableKey => ({ pk: `${BUDGET_PARTITION_PREFIX}${day}`, sk: 'AGENT' }),
  /** Cost of one user's tasks of a day. @param user digest */
  userBudget: (day: string, user: string): TableKey => ({ pk: `${BUDGET_PARTITION_PREFIX}${day}`, sk: `USER#${user}` }),
  /** Record of a release. */
  release: (release: string): TableKey => ({ pk: `${RELEASE_PARTITION_PREFIX}${release}`, sk: 'RECORD' }),
  /** Compressed behavior document of the release, in chunks that fit an item. */
  releaseContent: (release: string, chunk: number): TableKey => ({
    pk: `${RELEASE_PARTITION_PREFIX}${release}`,
    sk: `CONTENT#${String(chunk).padStart(4, '0')}`,
  }),
  /** Append only. `time` is ISO 8601 in UTC, so that a query gives the order of events. */
  audit: (time: string, id: string): TableKey => ({ pk: 'AUDIT', sk: `${time}#${id}` }),
} as const;
