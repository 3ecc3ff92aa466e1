import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { ControlKey, type ModelSettings, type TableKey } from '../../../lib/contract';
import type { Allowance } from './rate-limit-rules';

/** Kinds of units that a provider limits. */
export const RATE_LIMIT_UNITS = ['requests', 'tokens'] as const;
export type RateLimitUnit = (typeof RATE_LIMIT_UNITS)[number];

/** Rounds of read and conditional write while other workers write the same item. */
const MAX_ROUNDS = 4;

const itemSchema = z.object({ spokenForUntil: z.number() });

/** The store's decision on a lease. */
export type LeaseDecision =
  /** `until`: the time up to which the limit is reserved, including this lease. */
  | { readonly granted: true; readonly until: number }
  /** `until`: the same, without it. */
  | { readonly granted: false; readonly until: number };

/** The time up to which each limit is reserved, in the control table. */
export class RateLimitStore {
  /** Last known time of each limit: tells which of the two writes is likely to succeed. */
  readonly #seen = new Map<string, number>();

  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /**
   * Advances the limit's time by the cost, if it is not too far ahead. DynamoDB expressions have no maximum function, so there
   * are two writes: one adds to a time in the future, one restarts an restartIdle limit at now. Additions of concurrent workers
   * commute.
   *
   * After a lost response the SDK repeats the write, and the cost may be added twice: the limit is then underused, never
   * exceeded.
   */
  async acquire(
    provider: ModelSettings['provider'],
    meter: RateLimitUnit,
    costMs: number,
    { burstMs, waitMs }: Allowance,
    now: number,
  ): Promise<LeaseDecision> {
    const key = ControlKey.rateLimit(provider, meter);
    const name = `${key.pk} ${key.sk}`;
    const latest = now + burstMs + waitMs;
    // Other workers may write between read and write: after a few rounds the lease counts as denied.
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const seen = this.#seen.get(name) ?? Number.NEGATIVE_INFINITY;
      if (seen > latest) {
        // The time never decreases, so no call is needed.
        return { granted: false, until: seen };
      }
      const written = await this.#write(
        key,
        seen < now ? restartIdle(now, costMs) : addToReserved(now, costMs, latest),
      );
      this.#seen.set(name, Math.max(seen, written.until));
      if (written.granted) {
        return written;
      }
    }
    return { granted: false, until: this.#seen.get(name) ?? now };
  }

  async #write(key: TableKey, write: LimitWrite): Promise<LeaseDecision> {
    try {
      const { Attributes } = await this.#client.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: key,
          ExpressionAttributeNames: { '#until': 'spokenForUntil' },
          ReturnValues: 'UPDATED_NEW',
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          ...write,
        }),
      );
      return { granted: true, until: itemSchema.parse(Attributes).spokenForUntil };
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) {
        return { granted: false, until: reservedUntilOf(error) ?? (await this.#read(key)) };
      }
      throw error;
    }
  }

  async #read(key: TableKey): Promise<number> {
    const { Item } = await this.#client.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    );
    return Item === undefined ? Number.NEGATIVE_INFINITY : itemSchema.parse(Item).spokenForUntil;
  }
}

interface LimitWrite {
  readonly UpdateExpression: string;
  readonly ConditionExpression: string;
  readonly ExpressionAttributeValues: Record<string, number>;
}

function addToReserved(now: number, costMs: number, latest: number): LimitWrite {
  return {
    UpdateExpression: 'ADD #until :cost',
    ConditionExpression: '#until BETWEEN :now AND :latest',
    ExpressionAttributeValues: { ':cost': costMs, ':now': now, ':latest': latest },
  };
}

function restartIdle(now: number, costMs: number): LimitWrite {
  return {
    UpdateExpression: 'SET #until = :next',
    ConditionExpression: 'attribute_not_exists(#until) OR #until < :now',
    ExpressionAttributeValues: { ':next': now + costMs, ':now': now },
  };
}

/** The time in the rejected write's item; undefined if DynamoDB returned none. */
function reservedUntilOf({ Item }: ConditionalCheckFailedException): number | undefined {
  const value = Item?.spokenForUntil?.N;
  return value === undefined ? undefined : Number(value);
}
