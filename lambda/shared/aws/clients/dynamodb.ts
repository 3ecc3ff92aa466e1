import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { type ClientTimeouts, clientDefaults } from './defaults';

/**
 * Client for the tables. Absent members of an item are left out, so that optional fields need no care. Numbers go in and
 * come out as JSON has them, whole ones beyond 2^53 too; what DynamoDB itself cannot hold it refuses with a
 * ValidationException.
 *
 * @default client attempts of 2 s each at most, three in all: a caller of the HTTP API waits while the store is asked
 */
export function documentClient(client: DynamoDBClient = dynamoDbClient()): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(client, {
    marshallOptions: { removeUndefinedValues: true, allowImpreciseNumbers: true },
    unmarshallOptions: { wrapNumbers: Number },
  });
}

export function dynamoDbClient(timeouts: ClientTimeouts = {}): DynamoDBClient {
  return new DynamoDBClient(clientDefaults({ requestTimeout: 2_000, ...timeouts }));
}
