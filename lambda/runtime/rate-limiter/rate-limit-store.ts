import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { ControlKey, type ModelSettings, type TableKey } from '../../../lib/contract';
import type { Allowance } from './rate-limit-rules';

/** Kinds of units that a provider limits. */
export const RATE_LIMIT_UNITS = ['requests', 'tokens'] as const;
export type RateLimitUnit = (typeof RATE_LIMIT_UNITS)[number];

/** Workers that ask at the same moment each make another's look stale. */
const ROUNDS = 4;

const itemSchema = z.object({ spokenForUntil: z.number() });

/** What the store says to a worker that wants a lease. */
export type LeaseDecision =
  /** @param until the time up to which the limit is spoken for, this lease included */
  | { readonly granted: true; readonly until: number }
  /** @param until the same, without it */
  | { readonly granted: false; readonly until: number };

/** The time up to which each limit is spoken for, in the control table. */
export class RateLimitStore {
  /** Each limit's time when it was last seen: says which of the two writes is likely to be taken. */
  readonly #seen = new Map<string, number>();

  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /**
   * Moves the time on by the cost, if it is not too far ahead of now. Two writes do it, for an expression
   * knows no maximum: one for a limit that is spoken for beyond now, which is added to, and one for a limit that has
   * lain idle, which begins at now. Additions of any number of workers come to the same in any order.
   *
   * An answer that is lost is asked for again by the SDK, and then twice the cost may be taken: too little is used, never
   * too much.
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
    // Between look and write others write: after a few rounds the limit counts as taken.
    for (let round = 0; round < ROUNDS; round += 1) {
      const seen = this.#seen.get(name) ?? Number.NEGATIVE_INFINITY;
      if (seen > latest) {
        // It never goes back, so nothing need be asked.
        return { granted: false, until: seen };
      }
      const written = await this.#write(key, seen < now ? idle(now, costMs) : busy(now, costMs, latest));
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
        return { granted: false, until: untilOf(error) ?? (await this.#read(key)) };
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

function busy(now: number, costMs: number, latest: number): LimitWrite {
  return {
    UpdateExpression: 'ADD #until :cost',
    ConditionExpression: '#until BETWEEN :now AND :latest',
    ExpressionAttributeValues: { ':cost': costMs, ':now': now, ':latest': latest },
  };
}

function idle(now: number, costMs: number): LimitWrite {
  return {
    UpdateExpression: 'SET #until = :next',
    ConditionExpression: 'attribute_not_exists(#until) OR #until < :now',
    ExpressionAttributeValues: { ':next': now + costMs, ':now': now },
  };
}

/** What the refusal says of the item; undefined if it says nothing. */
function untilOf({ Item }: ConditionalCheckFailedException): number | undefined {
  const value = Item?.spokenForUntil?.N;
  return value === undefined ? undefined : Number(value);
}
