import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import {
  FINAL_STATUSES,
  TASK_STATUSES,
  TaskKey,
  type TaskRecord,
  type TaskStatus,
  taskRecordSchema,
  WRITE_TOKEN_ATTRIBUTE,
} from '../../../lib/contract';
import { conditionally } from '../aws/conditional-write';

interface TransitionRule {
  /** Statuses in which the transition is allowed; every write is conditional on them. */
  readonly from: readonly TaskStatus[];
  readonly to: readonly TaskStatus[];
  readonly by: string;
}

/**
 * Every change of a task's item after its creation. `from` becomes part of the condition of the write, so a transition
 * that is not in this table cannot be written. {@link TaskRepository} and {@link TaskLeases} add the conditions on
 * lease, lane and times.
 */
export const TASK_TRANSITIONS = {
  /** From `running` only after the lease has expired: the worker of the last attempt is lost. */
  claim: { from: ['queued', 'running'], to: ['running'], by: 'worker' },
  renew: { from: ['running'], to: ['running'], by: 'worker that holds the lease' },
  finish: { from: ['running'], to: FINAL_STATUSES, by: 'worker that holds the lease' },
  requeue: { from: ['running'], to: ['queued'], by: 'worker that holds the lease' },
  cancelQueued: { from: ['queued'], to: ['cancelled'], by: 'status API' },
  requestCancellation: { from: ['running'], to: ['running'], by: 'status API' },
  markWebhookDelivered: { from: FINAL_STATUSES, to: FINAL_STATUSES, by: 'webhook function' },
  markWebhookAbandoned: { from: FINAL_STATUSES, to: FINAL_STATUSES, by: 'webhook function' },
  /** Only of a task that failed after its last attempt. */
  redrive: { from: ['failed'], to: ['queued'], by: 'operator, through the redrive function' },
  /** From `running` only after the lease has expired. */
  restoreAttempts: { from: ['queued', 'running'], to: ['queued', 'running'], by: 'operator, through redrive' },
} as const satisfies Readonly<Record<string, TransitionRule>>;

export type TaskTransition = keyof typeof TASK_TRANSITIONS;

/** The stored record does not fit the schema. Reading it again does not help: an operator has to fix or delete it. */
export class TaskUnreadableError extends Error {
  override readonly name = 'TaskUnreadableError';

  constructor(
    readonly taskId: string,
    /** Each wrong attribute with the schema's message. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`the record of task ${taskId} is unreadable: ${reason}`, options);
  }
}

/** A write that would make the record unreadable. Nothing was sent. */
export class TaskWriteInvalidError extends Error {
  override readonly name = 'TaskWriteInvalidError';

  constructor(taskId: string, transition: string, reason: string, options?: ErrorOptions) {
    super(`task ${taskId}: ${transition} would write an unreadable record: ${reason}`, options);
  }
}

/** An item of the tasks table as a record. @throws TaskUnreadableError */
export function parseTask(taskId: string, item: Readonly<Record<string, unknown>>): TaskRecord {
  const parsed = taskRecordSchema.safeParse(item);
  if (!parsed.success) {
    throw new TaskUnreadableError(taskId, describeIssues(parsed.error), { cause: parsed.error });
  }
  return parsed.data;
}

/** The issues of a schema in one line. */
export function describeIssues({ issues }: Pick<TaskSchemaError, 'issues'>): string {
  return issues.map(({ path, message }) => `${path.join('.') || 'record'}: ${message}`).join('; ');
}

type TaskSchemaError = NonNullable<ReturnType<typeof taskRecordSchema.safeParse>['error']>;

/** The attributes of a task as they are in the table: not yet parsed. */
export type TaskItem = Readonly<Record<string, unknown>>;

type Attribute = keyof TaskRecord;

/** One update of a task's item. */
export interface TaskChange {
  readonly taskId: string;
  readonly transition: TaskTransition;
  /** Attributes with the value undefined stay as they are. */
  readonly set?: Partial<TaskRecord>;
  /** Set unless the attribute exists. */
  readonly setOnce?: Partial<TaskRecord>;
  /** Attribute → the attribute whose value before the update it gets. */
  readonly copy?: Readonly<Partial<Record<Attribute, Attribute>>>;
  readonly add?: Readonly<Partial<Record<Attribute, number>>>;
  readonly remove?: readonly Attribute[];
  /** Condition beside the status: attributes as `#name`, values as `:name`, statuses as `:queued`. */
  readonly condition?: string;
  readonly values?: Readonly<Record<string, unknown>>;
  /** See {@link ownWrite}. */
  readonly token?: string;
}

export type TaskUpdateResult = { readonly ok: true; readonly item: TaskItem } | { readonly ok: false };

const changeSchema = taskRecordSchema.omit({ result: true }).partial();

/** Access to the items of tasks: the only place that knows how a transition is written. */
export class TaskItems {
  constructor(
    readonly client: DynamoDBDocumentClient,
    readonly table: string,
  ) {}

  /** The item as it is now (consistent read). */
  async read(taskId: string): Promise<TaskItem | undefined> {
    const { Item } = await this.client.send(
      new GetCommand({ TableName: this.table, Key: TaskKey.task(taskId), ConsistentRead: true }),
    );
    return Item;
  }

  /**
   * Writes a transition as one conditional update.
   *
   * @throws TaskWriteInvalidError for values that the schema of the record refuses
   */
  async update(change: TaskChange, abortSignal?: AbortSignal): Promise<TaskUpdateResult> {
    checkChange(change);
    const input = { TableName: this.table, Key: TaskKey.task(change.taskId), ReturnValues: 'ALL_NEW' as const };
    const command = new UpdateCommand({ ...input, ...expressionsOf(change) });
    const result = await conditionally(() =>
      this.client.send(command, abortSignal === undefined ? {} : { abortSignal }),
    );
    return result.ok ? { ok: true, item: result.output.Attributes ?? {} } : result;
  }
}

/** The result is JSON by construction (the worker serialized it), and may be nested deeper than a parser can walk. */
function checkChange({ taskId, transition, set = {}, setOnce = {}, add = {} }: TaskChange): void {
  const { result: _, ...checked } = { ...setOnce, ...add, ...set };
  const parsed = changeSchema.safeParse(checked);
  if (!parsed.success) {
    throw new TaskWriteInvalidError(taskId, transition, describeIssues(parsed.error), { cause: parsed.error });
  }
}

function expressionsOf(change: TaskChange) {
  const { transition, set = {}, setOnce = {}, copy = {}, add = {}, remove = [], condition, token } = change;
  const values: Record<string, unknown> = Object.fromEntries(TASK_STATUSES.map((status) => [`:${status}`, status]));
  for (const [name, value] of Object.entries(change.values ?? {})) {
    values[`:${name}`] = value;
  }
  const value = (attribute: string, content: unknown): string => {
    values[`:new_${attribute}`] = content;
    return `:new_${attribute}`;
  };
  // The document client drops undefined values: an expression that names one would be invalid.
  const entries = Object.entries({ ...set, [WRITE_TOKEN_ATTRIBUTE]: token }).filter((entry) => entry[1] !== undefined);
  const sets = [
    ...entries.map(([name, content]) => `#${name} = ${value(name, content)}`),
    ...Object.entries(copy).map(([name, from]) => `#${name} = #${from}`),
    ...Object.entries(setOnce).map(([name, content]) => `#${name} = if_not_exists(#${name}, ${value(name, content)})`),
  ];
  const adds = Object.entries(add).map(([name, content]) => `#${name} ${value(name, content)}`);
  const allowed = TASK_TRANSITIONS[transition].from.map((status) => `:${status}`);
  const UpdateExpression = [
    ...(sets.length === 0 ? [] : [`SET ${sets.join(', ')}`]),
    ...(adds.length === 0 ? [] : [`ADD ${adds.join(', ')}`]),
    ...(remove.length === 0 ? [] : [`REMOVE ${remove.map((name) => `#${name}`).join(', ')}`]),
  ].join(' ');
  const ConditionExpression = [
    `#status IN (${allowed.join(', ')})`,
    ...(condition === undefined ? [] : [`(${condition})`]),
  ].join(' AND ');
  // DynamoDB refuses names and values that no expression uses.
  const text = `${UpdateExpression} ${ConditionExpression}`;
  const used = (pattern: RegExp) => [...new Set(text.match(pattern))];
  return {
    UpdateExpression,
    ConditionExpression,
    ExpressionAttributeNames: Object.fromEntries(used(/#\w+/g).map((name) => [name, name.slice(1)])),
    ExpressionAttributeValues: Object.fromEntries(used(/:\w+/g).map((name) => [name, values[name]])),
  };
}
