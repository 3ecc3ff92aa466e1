import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { DAY_SECONDS, PARTITION_KEY, sha256, type TableKey, TaskKey, TTL_ATTRIBUTE } from '../../../lib/contract';
import { isConditionFailure } from '../../shared/aws/aws-errors';
import type { Clock } from '../../shared/clock';

/** Others may take and leave slots while one is looked for. After so many rounds the task waits like any other. */
const ROUNDS = 5;

const itemSchema = z.object({ running: z.record(z.string(), z.number()) });

export interface UserConcurrencyLimiterDeps {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  /** Tasks of one user that may run at once. */
  readonly max: number;
  /** Timeout of the worker function. */
  readonly timeoutSeconds: number;
  /** Milliseconds that a lease lasts. */
  readonly leaseMs: number;
  readonly clock: Clock;
}

/** Right of a task to run. `fresh`: it did not have it before. */
export interface UserSlot {
  readonly user: string;
  readonly taskId: string;
  /** Tells this slot from a later one of the same task. */
  readonly expiresAt: number;
  readonly isNew: boolean;
}

/**
 * Limits how many tasks of one user run at once. A slot ends when its worker gives it back, or when no worker can still
 * live that took it; and a task that comes back after a crash takes its own slot again.
 */
export class UserConcurrencyLimiter {
  readonly #deps: UserConcurrencyLimiterDeps;

  constructor(deps: UserConcurrencyLimiterDeps) {
    this.#deps = deps;
  }

  /** @returns undefined if all of the user's slots are taken */
  async acquire(user: string, taskId: string): Promise<UserSlot | undefined> {
    const now = Math.floor(this.#deps.clock.now());
    const expiresAt = this.#expiry();
    const key = TaskKey.inFlight(sha256(user));
    for (let round = 0; round < ROUNDS; round += 1) {
      const until = await this.#set(key, taskId, expiresAt);
      if (until !== undefined) {
        return { user, taskId, expiresAt: until, isNew: until === expiresAt };
      }
      const running = await this.#read(key);
      if (running === undefined) {
        if (await this.#create(key, taskId, expiresAt)) {
          return { user, taskId, expiresAt, isNew: true };
        }
        continue;
      }
      const over = Object.entries(running).filter(([, expiry]) => expiry < now);
      if (over.length === 0) {
        return undefined;
      }
      await Promise.all(
        over.map(([id, expiry]) => this.release({ user, taskId: id, expiresAt: expiry, isNew: false })),
      );
    }
    return undefined;
  }

  /**
   * Makes a slot that an earlier worker took for the task that of the worker that has it now. A call whose answer was lost
   * is repeated by the SDK, and finds the slot taken over: that is as well.
   */
  async takeOver(slot: UserSlot): Promise<UserSlot> {
    const expiresAt = this.#expiry();
    return (await this.#change(slot, 'SET #running.#task = :new', { ':new': expiresAt }))
      ? { ...slot, expiresAt }
      : slot;
  }

  async release(slot: UserSlot): Promise<void> {
    await this.#change(slot, 'REMOVE #running.#task');
  }

  #expiry(): number {
    const { clock, timeoutSeconds, leaseMs } = this.#deps;
    return Math.floor(clock.now()) + timeoutSeconds * 1000 + leaseMs;
  }

  /**
   * Takes a slot, or leaves the one that the task has as it is.
   *
   * @returns when the slot ends; undefined if there is no item, or no room in it
   */
  async #set(key: TableKey, taskId: string, expiresAt: number): Promise<number | undefined> {
    const { client, table, max } = this.#deps;
    try {
      const { Attributes } = await client.send(
        new UpdateCommand({
          TableName: table,
          Key: key,
          UpdateExpression: 'SET #running.#task = if_not_exists(#running.#task, :expiry), #ttl = :ttl',
          ConditionExpression:
            'attribute_exists(#running) AND (attribute_exists(#running.#task) OR size(#running) < :max)',
          ExpressionAttributeNames: { '#running': 'running', '#task': taskId, '#ttl': TTL_ATTRIBUTE },
          ExpressionAttributeValues: { ':expiry': expiresAt, ':ttl': ttlOf(expiresAt), ':max': max },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return itemSchema.parse(Attributes).running[taskId];
    } catch (error) {
      if (isConditionFailure(error)) {
        return undefined;
      }
      throw error;
    }
  }

  async #read(key: TableKey): Promise<Record<string, number> | undefined> {
    const { client, table } = this.#deps;
    const { Item } = await client.send(new GetCommand({ TableName: table, Key: key, ConsistentRead: true }));
    return Item === undefined ? undefined : itemSchema.parse(Item).running;
  }

  async #create(key: TableKey, taskId: string, expiresAt: number): Promise<boolean> {
    const { client, table } = this.#deps;
    try {
      await client.send(
        new PutCommand({
          TableName: table,
          Item: { ...key, running: { [taskId]: expiresAt }, [TTL_ATTRIBUTE]: ttlOf(expiresAt) },
          ConditionExpression: 'attribute_not_exists(#pk)',
          ExpressionAttributeNames: { '#pk': PARTITION_KEY },
        }),
      );
      return true;
    } catch (error) {
      if (isConditionFailure(error)) {
        return false;
      }
      throw error;
    }
  }

  /** Changes a slot that is still what it was when it was seen, or is so already. @returns whether it is */
  async #change(
    { user, taskId, expiresAt }: UserSlot,
    expression: string,
    values: Readonly<Record<string, number>> = {},
  ): Promise<boolean> {
    const { client, table } = this.#deps;
    try {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: TaskKey.inFlight(sha256(user)),
          UpdateExpression: expression,
          ConditionExpression: `#running.#task IN (${[':expiry', ...Object.keys(values)].join(', ')})`,
          ExpressionAttributeNames: { '#running': 'running', '#task': taskId },
          ExpressionAttributeValues: { ':expiry': expiresAt, ...values },
        }),
      );
      return true;
    } catch (error) {
      if (isConditionFailure(error)) {
        return false;
      }
      throw error;
    }
  }
}

/** The item goes some time after its last slot. */
function ttlOf(expiresAt: number): number {
  return Math.ceil(expiresAt / 1000) + DAY_SECONDS;
}
