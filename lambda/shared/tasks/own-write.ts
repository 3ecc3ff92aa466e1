import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { type TableKey, WRITE_TOKEN_ATTRIBUTE } from '../../../lib/contract';

/**
 * The item under the key, if the write with this token was the last to put a token into it.
 *
 * The SDK repeats a call whose answer was lost, and a conditional write then fails the condition that its first try has
 * made untrue. Whoever writes under a condition therefore puts a token of its own into the item, and after a refusal asks
 * here whether it was refused by itself.
 */
export async function ownWrite(
  client: DynamoDBDocumentClient,
  tableName: string,
  key: TableKey,
  token: string,
): Promise<Record<string, unknown> | undefined> {
  const { Item } = await client.send(new GetCommand({ TableName: tableName, Key: key, ConsistentRead: true }));
  return Item?.[WRITE_TOKEN_ATTRIBUTE] === token ? Item : undefined;
}
