import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { ControlKey, type RolloutItem, rolloutItemSchema } from '../../../lib/contract';

/** The rollout in progress or the last one; undefined before the first. */
export async function readRollout(
  client: DynamoDBDocumentClient,
  controlTable: string,
): Promise<RolloutItem | undefined> {
  const { Item } = await client.send(
    new GetCommand({ TableName: controlTable, Key: ControlKey.rollout, ConsistentRead: true }),
  );
  return Item === undefined ? undefined : rolloutItemSchema.parse(Item);
}
