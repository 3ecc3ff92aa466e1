import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import { cfnBoolean, cfnTags, readProperties } from '../../core/properties';
import {
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import type { DynamoEngine } from './engine';
import { type TableSettings, type TableSettingsStore, tableArn } from './model';

const keySchema = z.array(z.strictObject({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }));
const projection = z.looseObject({ ProjectionType: z.string().optional() });
const indexSchema = z.looseObject({ IndexName: z.string(), KeySchema: keySchema, Projection: projection });

const commonSchema = {
  AttributeDefinitions: z.array(z.strictObject({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) })),
  BillingMode: z.enum(['PAY_PER_REQUEST', 'PROVISIONED']).optional(),
  GlobalSecondaryIndexes: z.array(indexSchema).optional(),
  KeySchema: keySchema,
  LocalSecondaryIndexes: z.array(indexSchema).optional(),
  SSESpecification: z.unknown().optional(),
  TableName: z.string().optional(),
  TimeToLiveSpecification: z.strictObject({ AttributeName: z.string().optional(), Enabled: cfnBoolean }).optional(),
};

const tableSchema = z.strictObject({
  ...commonSchema,
  DeletionProtectionEnabled: cfnBoolean.optional(),
  PointInTimeRecoverySpecification: z.unknown().optional(),
  ProvisionedThroughput: z.unknown().optional(),
  TableClass: z.string().optional(),
  Tags: cfnTags.optional(),
});

const replicaSchema = z.strictObject({
  ContributorInsightsSpecification: z.unknown().optional(),
  DeletionProtectionEnabled: cfnBoolean.optional(),
  GlobalSecondaryIndexes: z.unknown().optional(),
  PointInTimeRecoverySpecification: z.unknown().optional(),
  Region: z.string(),
  SSESpecification: z.unknown().optional(),
  TableClass: z.string().optional(),
  Tags: cfnTags.optional(),
});

const globalTableSchema = z.strictObject({
  ...commonSchema,
  Replicas: z.array(replicaSchema).length(1, 'a table with replicas in other regions'),
  WarmThroughput: z.unknown().optional(),
  WriteOnDemandThroughputSettings: z.unknown().optional(),
  WriteProvisionedThroughputSettings: z.unknown().optional(),
});

type CommonProperties = Pick<z.infer<typeof tableSchema>, keyof typeof commonSchema>;

const REPLACE_ON = ['KeySchema', 'LocalSecondaryIndexes', 'TableName'] as const;

/** Capacity, encryption, backups and table classes are accepted and have no effect. */
interface TableType<T extends CommonProperties> {
  readonly type: string;
  readonly source: string;
  readonly schema: z.ZodObject & z.ZodType<T>;
  protection(properties: T): boolean;
}

export function tableHandler(engine: DynamoEngine, tables: TableSettingsStore): ResourceHandler {
  return handler(engine, tables, {
    type: 'AWS::DynamoDB::Table',
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html',
    schema: tableSchema,
    protection: (properties) => properties.DeletionProtectionEnabled === true,
  });
}

export function globalTableHandler(engine: DynamoEngine, tables: TableSettingsStore): ResourceHandler {
  return handler(engine, tables, {
    type: 'AWS::DynamoDB::GlobalTable',
    source:
      'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html',
    schema: globalTableSchema,
    protection: (properties) => properties.Replicas[0]?.DeletionProtectionEnabled === true,
  });
}

function handler<T extends CommonProperties>(
  engine: DynamoEngine,
  tables: TableSettingsStore,
  kind: TableType<T>,
): ResourceHandler {
  const read = (request: ResourceRequest) => readProperties<T>(kind.type, kind.schema, request);
  const settings = (properties: T): TableSettings => {
    const ttl = properties.TimeToLiveSpecification;
    return {
      ttlAttribute: ttl?.Enabled === true ? ttl.AttributeName : undefined,
      deletionProtection: kind.protection(properties),
    };
  };
  return {
    type: kind.type,
    source: kind.source,
    properties: Object.keys(kind.schema.shape),
    replaceOn: REPLACE_ON,
    create: async (request) => {
      const properties = read(request);
      const name = properties.TableName ?? physicalName(request.stack, request.logicalId, { maxLength: 255 });
      const table = await engine.createTable(createTableInput(name, properties), keyNames(properties));
      tables.configure(name, settings(properties));
      return outcome(name, table.TableId);
    },
    update: async (request) => {
      const properties = read(request);
      refuseSchemaChange(kind.type, request);
      tables.configure(request.physicalId, settings(properties));
      const { Table } = await engine.call('DescribeTable', { TableName: request.physicalId });
      return outcome(request.physicalId, (Table as { TableId?: unknown }).TableId);
    },
    delete: async ({ physicalId }) => {
      if (tables.isProtected(physicalId)) {
        throw new ResourceFailure(
          `Resource cannot be deleted as it is currently protected against deletion: table ${physicalId}. Disable deletion protection first`,
        );
      }
      tables.remove(physicalId);
      await engine.deleteTable(physicalId);
    },
  };
}

function createTableInput(name: string, properties: CommonProperties): { TableName: string } & Record<string, unknown> {
  const index = ({ IndexName, KeySchema, Projection }: z.infer<typeof indexSchema>) => ({
    IndexName,
    KeySchema,
    Projection,
  });
  return {
    TableName: name,
    // Provisioned capacity would only throttle: tables are created on demand.
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: properties.AttributeDefinitions,
    KeySchema: properties.KeySchema,
    ...(properties.GlobalSecondaryIndexes && { GlobalSecondaryIndexes: properties.GlobalSecondaryIndexes.map(index) }),
    ...(properties.LocalSecondaryIndexes && { LocalSecondaryIndexes: properties.LocalSecondaryIndexes.map(index) }),
  };
}

/** The partition key comes first, as in every key schema. */
function keyNames(properties: CommonProperties): string[] {
  return properties.KeySchema.map((key) => key.AttributeName);
}

function refuseSchemaChange(type: string, request: ResourceUpdateRequest): void {
  for (const property of ['AttributeDefinitions', 'GlobalSecondaryIndexes']) {
    if (!isDeepStrictEqual(request.properties[property], request.previous[property])) {
      throw new ResourceFailure(`not rehearsable: ${type} at ${request.path}: change of ${property}`);
    }
  }
}

function outcome(name: string, tableId: unknown): ResourceOutcome {
  return { physicalId: name, attributes: { Arn: tableArn(name), TableId: String(tableId) } };
}
