import { type DynamoDBDocumentClient, GetCommand, PutCommand, type PutCommandInput } from '@aws-sdk/lib-dynamodb';
import { PARTITION_KEY, type TableKey, WRITE_TOKEN_ATTRIBUTE } from '../../../lib/contract';
import { isConditionFailure } from './aws-errors';

type Item = Readonly<Record<string, unknown>>;

export type ConditionalResult<T> = { readonly ok: true; readonly output: T } | { readonly ok: false };

/** Sends a conditional write. A condition that does not hold is a result; every other failure is thrown. */
export async function conditionally<T>(send: () => Promise<T>): Promise<ConditionalResult<T>> {
  try {
    return { ok: true, output: await send() };
  } catch (error) {
    if (isConditionFailure(error)) {
      return { ok: false };
    }
    throw error;
  }
}

/**
 * The item under the key, if the write with this token was the last that put a token into it.
 *
 * The SDK repeats a call whose response was lost, and the repetition fails the condition that the first try has made
 * untrue. A conditional write therefore carries a token of its own, and its caller checks here after a refusal whether
 * the refusal came from its own first try.
 */
export async function ownWrite(
  client: DynamoDBDocumentClient,
  table: string,
  key: TableKey,
  token: string,
): Promise<Item | undefined> {
  const { Item } = await client.send(new GetCommand({ TableName: table, Key: key, ConsistentRead: true }));
  return Item?.[WRITE_TOKEN_ATTRIBUTE] === token ? Item : undefined;
}

/** Precondition of {@link replaceItem}. */
export interface ReplacedItem {
  /** Attribute that differs from write to write. */
  readonly attribute: string;
  /** Its value as it was read; undefined: there was no item. */
  readonly value: number | undefined;
}

/**
 * Replaces the item that was read.
 *
 * @returns false if the item has changed since. After a lost response this is also false for the caller's own write: the
 * caller reads the item again, or uses {@link ownWrite}
 */
export async function replaceItem(
  client: DynamoDBDocumentClient,
  table: string,
  item: Item,
  { attribute, value }: ReplacedItem,
): Promise<boolean> {
  const condition: Partial<PutCommandInput> =
    value === undefined
      ? { ConditionExpression: 'attribute_not_exists(#pk)', ExpressionAttributeNames: { '#pk': PARTITION_KEY } }
      : {
          ConditionExpression: '#attribute = :value',
          ExpressionAttributeNames: { '#attribute': attribute },
          ExpressionAttributeValues: { ':value': value },
        };
  const { ok } = await conditionally(() => client.send(new PutCommand({ TableName: table, Item: item, ...condition })));
  return ok;
}
