import { type DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { PARTITION_KEY } from '../../../lib/contract';
import { isConditionFailure } from '../aws/aws-errors';

/** What must still be there for an item to be replaced. */
export interface Replaced {
  /** Attribute that differs from write to write. */
  readonly attribute: string;
  /** Its value as it was read; undefined: there was no item. */
  readonly value: number | undefined;
}

/**
 * Puts an item in the place of the one that was read.
 *
 * @returns false if the item is not what was read any more. The SDK repeats a call whose answer was lost, and the
 * repetition meets what the first wrote: whoever takes false for another's write has to read again first
 */
export async function replaceItem(
  client: DynamoDBDocumentClient,
  tableName: string,
  item: Record<string, unknown>,
  { attribute, value }: Replaced,
): Promise<boolean> {
  try {
    await client.send(
      new PutCommand({
        TableName: tableName,
        Item: item,
        ...(value === undefined
          ? { ConditionExpression: 'attribute_not_exists(#pk)', ExpressionAttributeNames: { '#pk': PARTITION_KEY } }
          : {
              ConditionExpression: '#attribute = :value',
              ExpressionAttributeNames: { '#attribute': attribute },
              ExpressionAttributeValues: { ':value': value },
            }),
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
