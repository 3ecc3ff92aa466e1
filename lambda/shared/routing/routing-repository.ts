import { type DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type * as z from 'zod';
import {
  ControlKey,
  PARTITION_KEY,
  type PromotedItem,
  promotedItemSchema,
  ROUTING_PARTITION,
  type RolloutItem,
  rolloutItemSchema,
  SORT_KEY,
  type TableKey,
  type ValveItem,
  valveItemSchema,
} from '../../../lib/contract';
import { replaceItem } from '../aws/conditional-write';

/** The routing items of the control table, as one read gave them. */
export interface RoutingState {
  readonly promoted?: PromotedItem;
  readonly rollout?: RolloutItem;
  readonly valve?: ValveItem;
}

export interface RoutingReadOptions {
  /** A consistent read costs twice as much as one that may be about a second old. @default true */
  readonly consistent?: boolean;
}

/** A stored routing item does not fit its schema. Reading it again does not help: an operator has to fix it. */
export class RoutingUnreadableError extends Error {
  override readonly name = 'RoutingUnreadableError';

  constructor({ pk, sk }: TableKey, reason: string, options?: ErrorOptions) {
    super(`item ${pk}/${sk} of the control table is unreadable: ${reason}`, options);
  }
}

/**
 * The owner of the routing items: what is promoted, the rollout and the valve. Each item is validated by its schema
 * before it is written and after it is read.
 *
 * | item     | from → to                                   | written by                                        |
 * |----------|---------------------------------------------|---------------------------------------------------|
 * | ROLLOUT  | none or ended → in_progress                 | recorder, at the start of a deployment            |
 * | ROLLOUT  | in_progress → promoted                      | recorder, at the end of a deployment              |
 * | ROLLOUT  | in_progress → rolled_back                   | recorder, in a rollback of the stack              |
 * | PROMOTED | none or another target → target             | recorder, before the rollout becomes `promoted`   |
 * | VALVE    | sequence n → sequence n + 1                 | any router, conditional on the sequence it read   |
 *
 * CloudFormation runs one operation of a stack at a time, so the recorder's writes need no condition.
 */
export class RoutingRepository {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /** All routing items by one query. @throws RoutingUnreadableError */
  async readRouting(): Promise<RoutingState> {
    const { Items = [] } = await this.#client.send(
      new QueryCommand({
        TableName: this.#table,
        KeyConditionExpression: '#pk = :routing',
        ExpressionAttributeNames: { '#pk': PARTITION_KEY },
        ExpressionAttributeValues: { ':routing': ROUTING_PARTITION },
        // Routers have to agree within seconds: a replica that lags behind would break that.
        ConsistentRead: true,
      }),
    );
    const item = ({ sk }: TableKey) => Items.find((one) => one[SORT_KEY] === sk);
    return {
      promoted: parse(ControlKey.promoted, promotedItemSchema, item(ControlKey.promoted)),
      rollout: parse(ControlKey.rollout, rolloutItemSchema, item(ControlKey.rollout)),
      valve: parse(ControlKey.valve, valveItemSchema, item(ControlKey.valve)),
    };
  }

  /** What is promoted; undefined before the first promotion. @throws RoutingUnreadableError */
  async readPromoted(options?: RoutingReadOptions): Promise<PromotedItem | undefined> {
    return parse(ControlKey.promoted, promotedItemSchema, await this.#get(ControlKey.promoted, options));
  }

  /** The rollout in progress, or the last one; undefined before the first. @throws RoutingUnreadableError */
  async readRollout(options?: RoutingReadOptions): Promise<RolloutItem | undefined> {
    return parse(ControlKey.rollout, rolloutItemSchema, await this.#get(ControlKey.rollout, options));
  }

  async startRollout(rollout: RolloutItem & { readonly status: 'in_progress' }): Promise<void> {
    await this.#put(ControlKey.rollout, rolloutItemSchema, rollout);
  }

  async endRollout(rollout: RolloutItem & { readonly status: 'promoted' | 'rolled_back' }): Promise<void> {
    await this.#put(ControlKey.rollout, rolloutItemSchema, rollout);
  }

  async promote(promoted: PromotedItem): Promise<void> {
    await this.#put(ControlKey.promoted, promotedItemSchema, promoted);
  }

  /**
   * Writes the valve if it is still the one that was read.
   *
   * @param replaces sequence of the item that was read; undefined: there was none
   * @returns false if another router was faster
   */
  writeValve(valve: ValveItem, replaces: number | undefined): Promise<boolean> {
    const item = { ...ControlKey.valve, ...valveItemSchema.parse(valve) };
    return replaceItem(this.#client, this.#table, item, { attribute: 'sequence', value: replaces });
  }

  async #get(key: TableKey, { consistent = true }: RoutingReadOptions = {}): Promise<unknown> {
    const { Item } = await this.#client.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: consistent }),
    );
    return Item;
  }

  async #put<T extends object>(key: TableKey, schema: z.ZodType<T>, item: T): Promise<void> {
    await this.#client.send(new PutCommand({ TableName: this.#table, Item: { ...key, ...schema.parse(item) } }));
  }
}

function parse<T>(key: TableKey, schema: z.ZodType<T>, item: unknown): T | undefined {
  if (item === undefined) {
    return undefined;
  }
  const parsed = schema.safeParse(item);
  if (!parsed.success) {
    const reason = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'item'}: ${message}`).join('; ');
    throw new RoutingUnreadableError(key, reason, { cause: parsed.error });
  }
  return parsed.data;
}
