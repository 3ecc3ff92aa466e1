/**
 * Keys of the three tables. Every table has the partition key `pk` and the sort key `sk`, both strings, and expires
 * items by `expiresAt` (seconds since 1970).
 */
export const PARTITION_KEY = 'pk';
export const SORT_KEY = 'sk';
export const TTL_ATTRIBUTE = 'expiresAt';

export interface TableKey {
  readonly pk: string;
  readonly sk: string;
}

/** Tasks table: a partition per task. */
export const TaskKey = {
  task: (taskId: string): TableKey => ({ pk: taskId, sk: 'TASK' }),
} as const;

/** Sessions table: a partition per session. */
export const SessionKey = {
  state: (agent: string, session: string): TableKey => ({ pk: `${agent}#${session}`, sk: 'STATE' }),
} as const;

/** Partition of the control table that the router reads (and, for the valve alone, writes). */
export const ROUTING_PARTITION = 'ROUTING';

/** Control table. */
export const ControlKey = {
  /** What is promoted: written by the promoted record. */
  promoted: { pk: ROUTING_PARTITION, sk: 'PROMOTED' },
  /** The rollout under way or the last one: written by the release record and the promoted record. */
  rollout: { pk: ROUTING_PARTITION, sk: 'ROLLOUT' },
  /** What the routers agreed the alias to say: written by whichever router looked last. */
  valve: { pk: ROUTING_PARTITION, sk: 'VALVE' },
  release: (release: string): TableKey => ({ pk: `RELEASE#${release}`, sk: 'RECORD' }),
  /** Compressed behaviour document of the release, in chunks that fit an item. */
  releaseContent: (release: string, chunk: number): TableKey => ({
    pk: `RELEASE#${release}`,
    sk: `CONTENT#${String(chunk).padStart(4, '0')}`,
  }),
  /** Append only. `time` is ISO 8601 in UTC, so that a query gives the order of events. */
  audit: (time: string, id: string): TableKey => ({ pk: 'AUDIT', sk: `${time}#${id}` }),
} as const;
