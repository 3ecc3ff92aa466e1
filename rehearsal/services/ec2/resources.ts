import { z } from 'zod';
import type { IamPort } from '../../core/ports';
import { cfnNumber, cfnTags, readProperties } from '../../core/properties';
import { ResourceFailure, type ResourceHandler, type ResourceOutcome, type ResourceRequest } from '../../core/resource';
import { type Ec2Resource, type Ec2Resources, newId } from './model';
import { type ResourceTypeDefinition, TYPES } from './resource-types';

const DOCUMENTS = 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference';

/** A resource type that only exists: see {@link ResourceTypeDefinition}. */
export function resourceHandler(kind: ResourceTypeDefinition, inventory: Ec2Resources): ResourceHandler {
  const put = (request: ResourceRequest, id: string): ResourceOutcome => {
    const properties = readProperties(kind.type, kind.schema, request);
    const needs = Object.entries(kind.references).flatMap(([property, type]) =>
      idsIn(properties[property]).map((needed) => existing(inventory, needed, type, `${kind.type}.${property}`)),
    );
    kind.check?.(properties, inventory);
    const item = { id, type: kind.type, properties, needs };
    inventory.put(item);
    return { physicalId: id, attributes: kind.attributes(item) };
  };
  return {
    type: kind.type,
    source: `${DOCUMENTS}/aws-resource-ec2-${kind.page}.html`,
    properties: Object.keys(kind.schema.shape),
    replaceOn: kind.replaceOn,
    create: async (request) => put(request, newId(kind.prefix)),
    update: async (request) => put(request, request.physicalId),
    delete: async ({ physicalId }) => inventory.remove(physicalId),
  };
}

function idsIn(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((id): id is string => typeof id === 'string');
}

/** @throws ResourceFailure when there is nothing of that id and type */
function existing(inventory: Ec2Resources, id: string, type: string, where: string): string {
  const found: Ec2Resource | undefined = inventory.get(id);
  // Every VPC has a security group of its own that no template makes.
  const isDefaultGroup = type === TYPES.SECURITY_GROUP && inventory.get(id.replace('sg-', 'vpc-')) !== undefined;
  if (found?.type !== type && !isDefaultGroup) {
    const what = type.slice('AWS::EC2::'.length);
    throw new ResourceFailure(`Invalid${what}ID.NotFound: ${where}: the ${what} '${id}' does not exist`);
  }
  return id;
}

const flowLogSchema = z.strictObject({
  DeliverLogsPermissionArn: z.string().optional(),
  LogDestinationType: z.literal('cloud-watch-logs').optional(),
  LogFormat: z.string().optional(),
  LogGroupName: z.string(),
  MaxAggregationInterval: cfnNumber.optional(),
  ResourceId: z.string(),
  ResourceType: z.enum(['VPC', 'Subnet']),
  Tags: cfnTags.optional(),
  TrafficType: z.enum(['ACCEPT', 'ALL', 'REJECT']).optional(),
});

/** `AWS::EC2::FlowLog` to CloudWatch Logs. There is no traffic, and so no record of it. */
export function flowLogHandler(inventory: Ec2Resources, iam: IamPort): ResourceHandler {
  const type = 'AWS::EC2::FlowLog';
  const check = (request: ResourceRequest, id: string): ResourceOutcome => {
    const given = readProperties(type, flowLogSchema, request);
    const needed = given.ResourceType === 'VPC' ? TYPES.VPC : TYPES.SUBNET;
    existing(inventory, given.ResourceId, needed, `${type}.ResourceId`);
    if (given.DeliverLogsPermissionArn === undefined) {
      throw new ResourceFailure(
        `InvalidParameter: ${type}: DeliverLogsPermissionArn is needed to write to a log group`,
      );
    }
    try {
      iam.sessionFor(given.DeliverLogsPermissionArn, 'flow-logs', 'vpc-flow-logs.amazonaws.com');
    } catch (error) {
      throw new ResourceFailure(`Access error: ${error instanceof Error ? error.message : error}`);
    }
    inventory.put({ id, type, properties: given, needs: [given.ResourceId] });
    return { physicalId: id, attributes: { Id: id } };
  };
  return {
    type,
    source: `${DOCUMENTS}/aws-resource-ec2-flowlog.html`,
    properties: Object.keys(flowLogSchema.shape),
    replaceOn: Object.keys(flowLogSchema.shape).filter((property) => property !== 'Tags'),
    create: async (request) => check(request, newId('fl')),
    update: async (request) => check(request, request.physicalId),
    delete: async ({ physicalId }) => inventory.remove(physicalId),
  };
}
