import { type DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import {
  type JournalEntry,
  journalEntrySchema,
  PARTITION_KEY,
  RuntimeErrorCode,
  SORT_KEY,
  STEP_SORT_KEY_PREFIX,
  TaskKey,
  TTL_ATTRIBUTE,
} from '../../../lib/contract';
import { isConditionFailure } from '../../shared/aws/aws-errors';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import { FatalError, RetryableError } from '../errors';

/** Result of a write: done, or rejected because of the existing entry. */
export type RecordResult =
  | { readonly kind: 'written' }
  | { readonly kind: 'refused'; readonly found: JournalEntry | undefined };

/** The step journal in the tasks table. A task's entries are in the partition of the task. */
export class JournalStore {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;
  readonly #clock: Clock;

  constructor(client: DynamoDBDocumentClient, table: string, clock: Clock) {
    this.#client = client;
    this.#table = table;
    this.#clock = clock;
  }

  /** Every entry of the task that has not expired. */
  async load(taskId: string): Promise<readonly JournalEntry[]> {
    const items: Record<string, unknown>[] = [];
    let from: Record<string, unknown> | undefined;
    try {
      do {
        const { Items = [], LastEvaluatedKey } = await this.#client.send(
          new QueryCommand({
            TableName: this.#table,
            KeyConditionExpression: '#pk = :task AND begins_with(#sk, :steps)',
            ExpressionAttributeNames: { '#pk': PARTITION_KEY, '#sk': SORT_KEY },
            ExpressionAttributeValues: { ':task': taskId, ':steps': STEP_SORT_KEY_PREFIX },
            ConsistentRead: true,
            ExclusiveStartKey: from,
          }),
        );
        items.push(...Items);
        from = LastEvaluatedKey;
      } while (from !== undefined);
    } catch (error) {
      throw journalUnavailable('could not be read', error);
    }
    // A task id can be reused after its task has expired, and DynamoDB deletes expired items only within days.
    const now = this.#seconds();
    return items.map(parse).filter(({ expiresAt }) => expiresAt >= now);
  }

  /** Writes the entry if there is none, or one that this attempt or an earlier one began. */
  async record(taskId: string, entry: JournalEntry): Promise<RecordResult> {
    try {
      await this.#client.send(
        new PutCommand({
          TableName: this.#table,
          Item: { ...TaskKey.step(taskId, entry.key), ...entry },
          ConditionExpression:
            'attribute_not_exists(#pk) OR #ttl < :now OR (#state = :started AND #attempt <= :attempt)',
          ExpressionAttributeNames: {
            '#pk': PARTITION_KEY,
            '#ttl': TTL_ATTRIBUTE,
            '#state': 'state',
            '#attempt': 'attempt',
          },
          ExpressionAttributeValues: { ':now': this.#seconds(), ':started': 'started', ':attempt': entry.attempt },
        }),
      );
      return { kind: 'written' };
    } catch (error) {
      if (isConditionFailure(error)) {
        return { kind: 'refused', found: await this.#read(taskId, entry.key) };
      }
      throw journalUnavailable(`did not accept ${entry.key}`, error);
    }
  }

  async #read(taskId: string, key: string): Promise<JournalEntry | undefined> {
    let item: Record<string, unknown> | undefined;
    try {
      const { Item } = await this.#client.send(
        new GetCommand({ TableName: this.#table, Key: TaskKey.step(taskId, key), ConsistentRead: true }),
      );
      item = Item;
    } catch (error) {
      throw journalUnavailable(`could not be read for ${key}`, error);
    }
    return item === undefined ? undefined : parse(item);
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

function parse(item: Record<string, unknown>): JournalEntry {
  const parsed = journalEntrySchema.safeParse(item);
  if (!parsed.success) {
    throw new FatalError(
      `${String(item[SORT_KEY])} in the step journal is not an entry that this release can read: ${z.prettifyError(parsed.error)}`,
      { code: RuntimeErrorCode.JOURNAL_UNREADABLE },
    );
  }
  return parsed.data;
}

function journalUnavailable(what: string, error: unknown): RetryableError {
  return new RetryableError(`the step journal ${what}: ${messageOf(error)}`, {
    code: RuntimeErrorCode.JOURNAL_UNAVAILABLE,
    cause: error,
  });
}
