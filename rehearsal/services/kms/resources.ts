import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { cfnBoolean, cfnNumber, cfnPolicyDocument, cfnTags, readProperties } from '../../core/properties';
import type { ResourceHandler, ResourceOutcome, ResourceRequest } from '../../core/resource';

const keySchema = z.strictObject({
  Description: z.string().optional(),
  Enabled: cfnBoolean.optional(),
  EnableKeyRotation: cfnBoolean.optional(),
  KeyPolicy: cfnPolicyDocument.optional(),
  KeySpec: z.literal('SYMMETRIC_DEFAULT').optional(),
  KeyUsage: z.literal('ENCRYPT_DECRYPT').optional(),
  PendingWindowInDays: cfnNumber.optional(),
  RotationPeriodInDays: cfnNumber.optional(),
  Tags: cfnTags.optional(),
});

const aliasSchema = z.strictObject({ AliasName: z.string().startsWith('alias/'), TargetKeyId: z.string() });

/** `AWS::KMS::Key`. Nothing is encrypted with it, and its policy is not evaluated. */
export function keyHandler(): ResourceHandler {
  const type = 'AWS::KMS::Key';
  const outcome = (request: ResourceRequest, id: string): ResourceOutcome => {
    readProperties(type, keySchema, request);
    const { partition, region, account } = request.stack;
    return { physicalId: id, attributes: { Arn: `arn:${partition}:kms:${region}:${account}:key/${id}`, KeyId: id } };
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html',
    properties: Object.keys(keySchema.shape),
    replaceOn: ['KeySpec', 'KeyUsage'],
    create: async (request) => outcome(request, randomUUID()),
    update: async (request) => outcome(request, request.physicalId),
    delete: async () => {},
  };
}

/** `AWS::KMS::Alias` */
export function aliasHandler(): ResourceHandler {
  const type = 'AWS::KMS::Alias';
  const outcome = (request: ResourceRequest): ResourceOutcome => ({
    physicalId: readProperties(type, aliasSchema, request).AliasName,
    attributes: {},
  });
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-alias.html',
    properties: Object.keys(aliasSchema.shape),
    replaceOn: ['AliasName'],
    create: async (request) => outcome(request),
    update: async (request) => outcome(request),
    delete: async () => {},
  };
}
