import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { DAY_SECONDS, PARTITION_KEY, sha256, type TableKey, TaskKey, TTL_ATTRIBUTE } from '../../../lib/contract';
import { isConditionFailure } from '../../shared/aws/aws-errors';
import type { Clock } from '../../shared/clock';

/** Rounds in which a slot is looked for while other workers change the item; then the task waits. */
const MAX_ROUNDS = 5;

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

/** One of a user's slots, held by a task. `isNew`: the task had none before. */
export interface UserSlot {
  readonly user: string;
  readonly taskId: string;
  /** Milliseconds since 1970. Distinguishes this slot from a later one of the same task. */
  readonly expiresAt: number;
  readonly isNew: boolean;
}

/**
 * Limits how many tasks of one user run at once. A slot ends when its worker releases it, or when the worker's timeout and
 * lease are over. A task that is retried after its worker was lost takes its own slot again.
 */
export class UserConcurrencyLimiter {
  readonly #deps: UserConcurrencyLimiterDeps;

  constructor(deps: UserConcurrencyLimiterDeps) {
    this.#deps = deps;
  }

  /** @returns undefined if all slots of the user are taken */
  async acquire(user: string, taskId: string): Promise<UserSlot | undefined> {
    const now = Math.floor(this.#deps.clock.now());
    const expiresAt = this.#expiry();
    const key = TaskKey.inFlight(sha256(user));
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const until = await this.#tryTake(key, taskId, expiresAt);
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
      const expired = Object.entries(running).filter(([, expiry]) => expiry < now);
      if (expired.length === 0) {
        return undefined;
      }
      await Promise.all(
        expired.map(([id, expiry]) => this.release({ user, taskId: id, expiresAt: expiry, isNew: false })),
      );
    }
    return undefined;
  }

  /**
   * Renews a slot that an earlier worker took for the task. If the response is lost, the SDK repeats the call and finds the
   * slot renewed already: that counts as success.
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
   * Takes a slot, or keeps the one that the task already has.
   *
   * @returns when the slot expires; undefined if there is no item, or all slots are taken
   */
  async #tryTake(key: TableKey, taskId: string, expiresAt: number): Promise<number | undefined> {
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

  /** Changes a slot if it is unchanged since it was read. @returns whether the slot is as wanted */
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

/** The item expires a day after its last slot. */
function ttlOf(expiresAt: number): number {
  return Math.ceil(expiresAt / 1000) + DAY_SECONDS;
}
