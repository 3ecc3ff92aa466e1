import type { Call, RehearsalService, RequiredPermission } from '../../core/service';
import type { DynamoEngine } from './engine';
import { tableArn, tableName } from './model';

type Attributes = Readonly<Record<string, unknown>>;

const OPERATIONS = [
  'BatchGetItem',
  'BatchWriteItem',
  'DeleteItem',
  'GetItem',
  'PutItem',
  'Query',
  'UpdateItem',
] as const;
type WireOperation = (typeof OPERATIONS)[number];

/**
 * DynamoDB on the wire. Transactions, PartiQL, streams, scans and table administration are not rehearsed.
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html
 */
export function dynamoDbOperations(engine: DynamoEngine): RehearsalService {
  return {
    signingName: 'dynamodb',
    protocol: 'awsJson1.0',
    operations: OPERATIONS,
    authorize: (call) => permissions(engine, call),
    handle: (call) => engine.call(call.operation as WireOperation, byName(call)),
  };
}

/** https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html */
function permissions(engine: DynamoEngine, call: Call): RequiredPermission[] {
  const { input, operation } = call;
  const action = `dynamodb:${operation}`;
  switch (operation) {
    case 'BatchGetItem':
      return batches(input).map(([table, request]) => {
        const keys = (request as { Keys?: readonly Attributes[] }).Keys ?? [];
        return permission(engine, action, table, keys);
      });
    case 'BatchWriteItem':
      return batches(input).map(([table, requests]) => {
        const writes = requests as readonly {
          PutRequest?: { Item: Attributes };
          DeleteRequest?: { Key: Attributes };
        }[];
        const keys = writes.map((write) => write.PutRequest?.Item ?? write.DeleteRequest?.Key ?? {});
        return permission(engine, action, table, keys);
      });
    case 'Query':
      return [queryPermission(engine, input)];
    default: {
      const key = (operation === 'PutItem' ? input.Item : input.Key) as Attributes | undefined;
      return [permission(engine, action, String(input.TableName), [key ?? {}], returnValues(input))];
    }
  }
}

function batches(input: Attributes): [string, unknown][] {
  return Object.entries((input.RequestItems ?? {}) as Attributes);
}

/** @param keys items or keys that the call names: their partition keys are the condition key `dynamodb:LeadingKeys`. */
function permission(
  engine: DynamoEngine,
  action: string,
  table: string,
  keys: readonly Attributes[],
  conditions: Readonly<Record<string, readonly string[]>> = {},
): RequiredPermission {
  const name = tableName(table);
  const partitionKey = engine.keyAttributes(name)?.[0];
  const leading = partitionKey === undefined ? [] : keys.flatMap((key) => scalar(key[partitionKey]));
  return {
    action,
    resource: tableArn(name),
    conditions: { ...conditions, 'dynamodb:LeadingKeys': [...new Set(leading)] },
  };
}

function queryPermission(engine: DynamoEngine, input: Attributes): RequiredPermission {
  const name = tableName(String(input.TableName));
  const index = typeof input.IndexName === 'string' ? `/index/${input.IndexName}` : '';
  const names = (input.ExpressionAttributeNames ?? {}) as Readonly<Record<string, string>>;
  const values = (input.ExpressionAttributeValues ?? {}) as Attributes;
  const partitionKey = engine.keyAttributes(name)?.[0];
  // A key condition is a conjunction in which only the partition key of the table or index may stand before a lone
  // equality sign without an order on it, so looking for `name = :value` finds what the expression means.
  const equalities = String(input.KeyConditionExpression ?? '').matchAll(/([#\w.-]+)\s*=\s*(:\w+)/g);
  const leading = [...equalities].flatMap(([, left = '', right = '']) =>
    (names[left] ?? left) === partitionKey ? scalar(values[right]) : [],
  );
  return {
    action: 'dynamodb:Query',
    resource: `${tableArn(name)}${index}`,
    conditions: {
      'dynamodb:LeadingKeys': leading,
      ...(typeof input.Select === 'string' ? { 'dynamodb:Select': [input.Select] } : {}),
    },
  };
}

function returnValues(input: Attributes): Record<string, readonly string[]> {
  return typeof input.ReturnValues === 'string' ? { 'dynamodb:ReturnValues': [input.ReturnValues] } : {};
}

/** Value of a typed key attribute. */
function scalar(attribute: unknown): string[] {
  const value = Object.values((attribute ?? {}) as Attributes)[0];
  return typeof value === 'string' ? [value] : [];
}

/** Callers may name a table by its ARN; dynalite knows names only. */
function byName(call: Call): Attributes {
  const { input } = call;
  if (input.RequestItems !== undefined) {
    return {
      ...input,
      RequestItems: Object.fromEntries(batches(input).map(([table, one]) => [tableName(table), one])),
    };
  }
  return { ...input, TableName: tableName(String(input.TableName)) };
}
