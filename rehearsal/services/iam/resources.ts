import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import { cfnNumber, cfnPolicyDocument, cfnTags, readProperties } from '../../core/properties';
import type { ResourceHandler, ResourceOutcome, ResourceRequest, StackContext } from '../../core/resource';
import type { Iam } from './model';

const roleSchema = z.strictObject({
  AssumeRolePolicyDocument: cfnPolicyDocument,
  Description: z.string().optional(),
  ManagedPolicyArns: z.array(z.string()).default([]),
  MaxSessionDuration: cfnNumber.optional(),
  Path: z.string().default('/'),
  Policies: z.array(z.strictObject({ PolicyName: z.string(), PolicyDocument: cfnPolicyDocument })).default([]),
  RoleName: z.string().optional(),
  Tags: cfnTags.optional(),
});

const policySchema = z.strictObject({
  PolicyDocument: cfnPolicyDocument,
  PolicyName: z.string(),
  Roles: z.array(z.string()).default([]),
});

const managedPolicySchema = z.strictObject({
  Description: z.string().optional(),
  ManagedPolicyName: z.string().optional(),
  Path: z.string().default('/'),
  PolicyDocument: cfnPolicyDocument,
  Roles: z.array(z.string()).default([]),
});

/** `AWS::IAM::Role` */
export function roleHandler(iam: Iam): ResourceHandler {
  const type = 'AWS::IAM::Role';
  const put = (request: ResourceRequest, name: string): ResourceOutcome => {
    const properties = readProperties(type, roleSchema, request);
    const arn = iamArn(request.stack, 'role', properties.Path, name);
    iam.putRole({
      arn,
      name,
      trust: properties.AssumeRolePolicyDocument,
      inline: Object.fromEntries(properties.Policies.map((one) => [one.PolicyName, one.PolicyDocument])),
      managedArns: properties.ManagedPolicyArns,
    });
    return { physicalId: name, attributes: { Arn: arn, RoleId: `AROA${name.toUpperCase().slice(0, 16)}` } };
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html',
    properties: Object.keys(roleSchema.shape),
    replaceOn: ['Path', 'RoleName'],
    create: async (request) => {
      const { RoleName } = readProperties(type, roleSchema, request);
      return put(request, RoleName ?? physicalName(request.stack, request.logicalId, { maxLength: 64 }));
    },
    update: async (request) => put(request, request.physicalId),
    delete: async (request) => {
      const path = typeof request.properties.Path === 'string' ? request.properties.Path : '/';
      iam.deleteRole(iamArn(request.stack, 'role', path, request.physicalId));
    },
  };
}

/** `AWS::IAM::Policy`: an inline policy on roles. Users and groups are not rehearsable. */
export function policyHandler(iam: Iam): ResourceHandler {
  const type = 'AWS::IAM::Policy';
  const put = (request: ResourceRequest, physicalId: string): ResourceOutcome => {
    const { PolicyDocument, Roles } = readProperties(type, policySchema, request);
    iam.attach(physicalId, PolicyDocument, Roles);
    return { physicalId, attributes: { Id: physicalId } };
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-policy.html',
    properties: Object.keys(policySchema.shape),
    replaceOn: ['PolicyName'],
    create: async (request) => put(request, physicalName(request.stack, request.logicalId, { maxLength: 128 })),
    update: async (request) => put(request, request.physicalId),
    delete: async (request) => iam.detach(request.physicalId),
  };
}

/** `AWS::IAM::ManagedPolicy` */
export function managedPolicyHandler(iam: Iam): ResourceHandler {
  const type = 'AWS::IAM::ManagedPolicy';
  const put = (request: ResourceRequest, arn: string): ResourceOutcome => {
    const { PolicyDocument, Roles } = readProperties(type, managedPolicySchema, request);
    iam.putManagedPolicy(arn, PolicyDocument);
    iam.attach(arn, PolicyDocument, Roles);
    return { physicalId: arn, attributes: { PolicyArn: arn, PolicyId: `ANPA${request.logicalId.slice(0, 16)}` } };
  };
  return {
    type,
    source:
      'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html',
    properties: Object.keys(managedPolicySchema.shape),
    replaceOn: ['Description', 'ManagedPolicyName', 'Path'],
    create: async (request) => {
      const { ManagedPolicyName, Path } = readProperties(type, managedPolicySchema, request);
      const name = ManagedPolicyName ?? physicalName(request.stack, request.logicalId, { maxLength: 128 });
      return put(request, iamArn(request.stack, 'policy', Path, name));
    },
    update: async (request) => put(request, request.physicalId),
    delete: async (request) => {
      iam.detach(request.physicalId);
      iam.deleteManagedPolicy(request.physicalId);
    },
  };
}

function iamArn(stack: StackContext, kind: 'role' | 'policy', path: string, name: string): string {
  return `arn:${stack.partition}:iam::${stack.account}:${kind}${path}${name}`;
}
