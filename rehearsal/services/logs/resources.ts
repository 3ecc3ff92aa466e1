import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import { cfnBoolean, cfnNumber, cfnTags, readProperties } from '../../core/properties';
import { ResourceFailure, type ResourceHandler, type ResourceOutcome, type ResourceRequest } from '../../core/resource';
import { type LogGroups, logGroupArn } from './model';

const groupSchema = z.strictObject({
  DeletionProtectionEnabled: cfnBoolean.optional(),
  KmsKeyId: z.string().optional(),
  LogGroupClass: z.literal('STANDARD').optional(),
  LogGroupName: z.string().optional(),
  RetentionInDays: cfnNumber.optional(),
  Tags: cfnTags.optional(),
});

/** `AWS::Logs::LogGroup`. Retention has no effect. */
export function logGroupHandler(groups: LogGroups): ResourceHandler {
  const type = 'AWS::Logs::LogGroup';
  const outcome = (request: ResourceRequest, name: string): ResourceOutcome => {
    readProperties(type, groupSchema, request);
    return { physicalId: name, attributes: { Arn: `${logGroupArn(name)}:*` } };
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html',
    properties: Object.keys(groupSchema.shape),
    replaceOn: ['LogGroupName'],
    create: async (request) => {
      const { LogGroupName } = readProperties(type, groupSchema, request);
      if (LogGroupName !== undefined && groups.has(LogGroupName)) {
        throw new ResourceFailure(`Resource of type '${type}' with identifier '${LogGroupName}' already exists.`);
      }
      const name = LogGroupName ?? physicalName(request.stack, request.logicalId, { maxLength: 512 });
      const result = outcome(request, name);
      groups.create(name);
      return result;
    },
    update: async (request) => outcome(request, request.physicalId),
    delete: async ({ physicalId }) => groups.delete(physicalId),
  };
}
