import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import type { IamPort } from '../../core/ports';
import { cfnBoolean, cfnNumber, cfnPolicyDocument, cfnTags, readProperties } from '../../core/properties';
import { ResourceFailure, type ResourceHandler, type ResourceOutcome, type ResourceRequest } from '../../core/resource';
import { ServiceError } from '../../core/service';
import { randomPassword, type Secret, type SecretStore } from './model';
import { type Rotations, rotationRulesSchema } from './rotations';

const generateSchema = z.strictObject({
  ExcludeCharacters: z.string().optional(),
  ExcludeLowercase: cfnBoolean.optional(),
  ExcludeNumbers: cfnBoolean.optional(),
  ExcludePunctuation: cfnBoolean.optional(),
  ExcludeUppercase: cfnBoolean.optional(),
  GenerateStringKey: z.string().optional(),
  IncludeSpace: cfnBoolean.optional(),
  PasswordLength: cfnNumber.optional(),
  RequireEachIncludedType: cfnBoolean.optional(),
  SecretStringTemplate: z.string().optional(),
});

const secretSchema = z.strictObject({
  Description: z.string().optional(),
  GenerateSecretString: generateSchema.optional(),
  KmsKeyId: z.string().optional(),
  Name: z.string().optional(),
  SecretString: z.string().optional(),
  Tags: cfnTags.optional(),
});
type SecretProperties = z.infer<typeof secretSchema>;

const resourcePolicySchema = z.strictObject({
  BlockPublicPolicy: cfnBoolean.optional(),
  ResourcePolicy: cfnPolicyDocument,
  SecretId: z.string(),
});

const rotationScheduleSchema = z.strictObject({
  RotateImmediatelyOnUpdate: cfnBoolean.optional(),
  RotationLambdaARN: z.string(),
  RotationRules: rotationRulesSchema.optional(),
  SecretId: z.string(),
});

export function secretHandler(store: SecretStore): ResourceHandler {
  const type = 'AWS::SecretsManager::Secret';
  return {
    type,
    source:
      'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html',
    properties: Object.keys(secretSchema.shape),
    replaceOn: ['Name'],
    create: async (request) => {
      const properties = readProperties(type, secretSchema, request);
      const name = properties.Name ?? physicalName(request.stack, request.logicalId, { maxLength: 128 });
      try {
        return outcome(store.create(name, content(properties, request), properties.Description));
      } catch (error) {
        throw error instanceof ServiceError ? new ResourceFailure(error.message) : error;
      }
    },
    update: async (request) => {
      const properties = readProperties(type, secretSchema, request);
      const secret = store.get(request.physicalId);
      secret.description = properties.Description;
      const value = (from: Readonly<Record<string, unknown>>) => [from.SecretString, from.GenerateSecretString];
      // A value that was changed by other hands is kept as long as the template says the same as before.
      if (!isDeepStrictEqual(value(request.properties), value(request.previous))) {
        store.put(secret, content(properties, request));
      }
      return outcome(secret);
    },
    delete: async ({ physicalId }) => store.delete(physicalId),
  };
}

function outcome(secret: Secret): ResourceOutcome {
  return { physicalId: secret.arn, attributes: { Id: secret.arn } };
}

function content(properties: SecretProperties, request: ResourceRequest): string {
  const { SecretString, GenerateSecretString: rules } = properties;
  if (SecretString !== undefined && rules !== undefined) {
    throw new ResourceFailure(`${request.path}: expected either SecretString or GenerateSecretString`);
  }
  // CloudFormation generates a value if the template gives none.
  if (rules === undefined) return SecretString ?? randomPassword({});
  const password = randomPassword({
    length: rules.PasswordLength,
    excludeCharacters: rules.ExcludeCharacters,
    excludeLowercase: rules.ExcludeLowercase,
    excludeUppercase: rules.ExcludeUppercase,
    excludeNumbers: rules.ExcludeNumbers,
    excludePunctuation: rules.ExcludePunctuation,
    includeSpace: rules.IncludeSpace,
    requireEachIncludedType: rules.RequireEachIncludedType,
  });
  if (rules.GenerateStringKey === undefined) return password;
  const template: unknown = JSON.parse(rules.SecretStringTemplate ?? '{}');
  return JSON.stringify({ ...(template as object), [rules.GenerateStringKey]: password });
}

export function resourcePolicyHandler(store: SecretStore, iam: IamPort): ResourceHandler {
  const type = 'AWS::SecretsManager::ResourcePolicy';
  const put = (request: ResourceRequest, id: string): ResourceOutcome => {
    const { ResourcePolicy, SecretId } = readProperties(type, resourcePolicySchema, request);
    iam.attachResourcePolicy(store.get(SecretId).arn, id, ResourcePolicy);
    return { physicalId: id, attributes: { Id: id } };
  };
  return {
    type,
    source:
      'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-resourcepolicy.html',
    properties: Object.keys(resourcePolicySchema.shape),
    replaceOn: ['SecretId'],
    // One policy per secret: it is known by the secret's ARN.
    create: async (request) => put(request, `${String(request.properties.SecretId)}/policy`),
    update: async (request) => put(request, request.physicalId),
    delete: async ({ physicalId, properties }) =>
      iam.detachResourcePolicy(store.arnOf(String(properties.SecretId)), physicalId),
  };
}

/** Hosted rotation functions, which CloudFormation would make out of a transform, are not rehearsed. */
export function rotationScheduleHandler(store: SecretStore, rotations: Rotations): ResourceHandler {
  const type = 'AWS::SecretsManager::RotationSchedule';
  const put = async (request: ResourceRequest): Promise<ResourceOutcome> => {
    const properties = readProperties(type, rotationScheduleSchema, request);
    const secret = store.get(properties.SecretId);
    try {
      await rotations.rotate(secret, {
        function: properties.RotationLambdaARN,
        rules: properties.RotationRules,
        immediately: properties.RotateImmediatelyOnUpdate ?? true,
        token: undefined,
      });
    } catch (error) {
      throw error instanceof ServiceError ? new ResourceFailure(error.message) : error;
    }
    return { physicalId: secret.arn, attributes: { Id: secret.arn } };
  };
  return {
    type,
    source:
      'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-rotationschedule.html',
    properties: Object.keys(rotationScheduleSchema.shape),
    replaceOn: ['SecretId'],
    create: put,
    update: put,
    delete: async ({ physicalId }) => rotations.cancel(physicalId),
  };
}
