/**
 * Keys of the three tables. Every table has the partition key `pk` and the sort key `sk`, both strings, and expires
 * items by `expiresAt` (seconds since 1970).
 */
export const PARTITION_KEY = 'pk';
export const SORT_KEY = 'sk';
export const TTL_ATTRIBUTE = 'expiresAt';
/** Tells a conditional write from all others, so that one whose answer was lost is known for what it is. */
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
  /** What one user thinks of the task's result. @param user digest */
  feedback: (taskId: string, user: string): TableKey => ({ pk: taskId, sk: `FEEDBACK#${user}` }),
  /** Tasks of one user that run at this moment: kept only where their number is limited. @param user digest */
  inFlight: (user: string): TableKey => ({ pk: `USER#${user}`, sk: 'IN_FLIGHT' }),
} as const;

/** Sessions table: a partition per session. */
export const SessionKey = {
  state: (agent: string, session: string): TableKey => ({ pk: `${agent}#${session}`, sk: 'STATE' }),
} as const;

/** Partition of the control table that the router reads (and, for the valve alone, writes). */
export const ROUTING_PARTITION = 'ROUTING';

/** Partition of the control table that holds what intake knows of the queues. Router and status API read and write it. */
export const BACKLOG_PARTITION = 'BACKLOG';

export const RELEASE_PARTITION_PREFIX = 'RELEASE#';
export const LIMIT_PARTITION_PREFIX = 'LIMIT#';
export const BUDGET_PARTITION_PREFIX = 'BUDGET#';

/** Control table. */
export const ControlKey = {
  /** What is promoted: written by the promoted record. */
  promoted: { pk: ROUTING_PARTITION, sk: 'PROMOTED' },
  /** The rollout under way or the last one: written by the release record and the promoted record. */
  rollout: { pk: ROUTING_PARTITION, sk: 'ROLLOUT' },
  /** What the routers agreed the alias to say: written by whichever router looked last. */
  valve: { pk: ROUTING_PARTITION, sk: 'VALVE' },
  /** How long the queues are; see backlog.ts. */
  backlog: { pk: BACKLOG_PARTITION, sk: 'SNAPSHOT' },
  /** Shared limit of a provider: see limits.ts. @param meter `requests` or `tokens` */
  rateLimit: (provider: string, meter: string): TableKey => ({ pk: `${LIMIT_PARTITION_PREFIX}${provider}`, sk: meter }),
  /** Money spent on a day (`2026-01-31`, UTC) by all tasks, and by those of one user (digest). */
  agentBudget: (day: string): TableKey => ({ pk: `${BUDGET_PARTITION_PREFIX}${day}`, sk: 'AGENT' }),
  userBudget: (day: string, user: string): TableKey => ({ pk: `${BUDGET_PARTITION_PREFIX}${day}`, sk: `USER#${user}` }),
  release: (release: string): TableKey => ({ pk: `${RELEASE_PARTITION_PREFIX}${release}`, sk: 'RECORD' }),
  /** Compressed behavior document of the release, in chunks that fit an item. */
  releaseContent: (release: string, chunk: number): TableKey => ({
    pk: `${RELEASE_PARTITION_PREFIX}${release}`,
    sk: `CONTENT#${String(chunk).padStart(4, '0')}`,
  }),
  /** Append only. `time` is ISO 8601 in UTC, so that a query gives the order of events. */
  audit: (time: string, id: string): TableKey => ({ pk: 'AUDIT', sk: `${time}#${id}` }),
} as const;
