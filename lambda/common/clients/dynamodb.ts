import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { type ClientTimeouts, clientDefaults } from './defaults';

/** Attempts of 2 s each at most: a caller of the HTTP API waits while the store is asked. */
export function dynamoDbClient(timeouts: ClientTimeouts = {}): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults({ requestTimeout: 2_000, ...timeouts })), {
    marshallOptions: { removeUndefinedValues: true },
  });
}
