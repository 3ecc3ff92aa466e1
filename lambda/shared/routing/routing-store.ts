import { type DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb';
import {
  ControlKey,
  PARTITION_KEY,
  promotedItemSchema,
  ROUTING_PARTITION,
  rolloutItemSchema,
  SORT_KEY,
  type ValveItem,
  valveItemSchema,
} from '../../../lib/contract';
import { replaceItem } from '../aws/conditional-write';
import type { RoutingState } from './decision';

/** Where the routing items are kept. */
export interface RoutingStore {
  read(): Promise<RoutingState>;
  /**
   * Writes the valve if it is still the one that was read.
   *
   * @param replaces sequence of the item that was read; undefined: there was none
   * @returns false if another router was faster
   */
  writeValve(valve: ValveItem, replaces: number | undefined): Promise<boolean>;
}

/** Routing items in the control table: one query reads them all. */
export class ControlTableRouting implements RoutingStore {
  constructor(
    private readonly client: DynamoDBDocumentClient,
    private readonly tableName: string,
  ) {}

  async read(): Promise<RoutingState> {
    const { Items = [] } = await this.client.send(
      new QueryCommand({
        TableName: this.tableName,
        KeyConditionExpression: '#pk = :routing',
        ExpressionAttributeNames: { '#pk': PARTITION_KEY },
        ExpressionAttributeValues: { ':routing': ROUTING_PARTITION },
        // The routers' agreement is counted in seconds: a replica that lags behind would break it.
        ConsistentRead: true,
      }),
    );
    const item = (key: { readonly sk: string }) => Items.find((one) => one[SORT_KEY] === key.sk);
    const promoted = item(ControlKey.promoted);
    const rollout = item(ControlKey.rollout);
    const valve = item(ControlKey.valve);
    return {
      ...(promoted === undefined ? {} : { promoted: promotedItemSchema.parse(promoted) }),
      ...(rollout === undefined ? {} : { rollout: rolloutItemSchema.parse(rollout) }),
      ...(valve === undefined ? {} : { valve: valveItemSchema.parse(valve) }),
    };
  }

  writeValve(valve: ValveItem, replaces: number | undefined): Promise<boolean> {
    const whole = { ...ControlKey.valve, ...valve };
    return replaceItem(this.client, this.tableName, whole, { attribute: 'sequence', value: replaces });
  }
}
