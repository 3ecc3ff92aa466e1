import { z } from 'zod';
import { type Call, type RehearsalService, type RequiredPermission, ServiceError } from '../../core/service';
import type { Secret, SecretStore } from './model';
import { type Rotations, rotationRulesSchema } from './rotations';

const schemas = {
  GetSecretValue: z.strictObject({
    SecretId: z.string(),
    VersionId: z.string().optional(),
    VersionStage: z.string().optional(),
  }),
  DescribeSecret: z.strictObject({ SecretId: z.string() }),
  PutSecretValue: z.strictObject({
    SecretId: z.string(),
    SecretString: z.string(),
    ClientRequestToken: z.string().optional(),
    VersionStages: z.array(z.string()).optional(),
  }),
  CreateSecret: z.strictObject({
    Name: z.string(),
    SecretString: z.string(),
    Description: z.string().optional(),
    ClientRequestToken: z.string().optional(),
  }),
  UpdateSecretVersionStage: z.strictObject({
    SecretId: z.string(),
    VersionStage: z.string(),
    MoveToVersionId: z.string().optional(),
    RemoveFromVersionId: z.string().optional(),
  }),
  ListSecretVersionIds: z.strictObject({
    SecretId: z.string(),
    IncludeDeprecated: z.boolean().optional(),
    MaxResults: z.number().optional(),
  }),
  RotateSecret: z.strictObject({
    SecretId: z.string(),
    ClientRequestToken: z.string().optional(),
    RotationLambdaARN: z.string().optional(),
    RotationRules: rotationRulesSchema.optional(),
    RotateImmediately: z.boolean().optional(),
  }),
};

/**
 * Secrets Manager: reading, describing, new values, labels, rotation. Binary secrets and deletion are not rehearsed on the
 * wire.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html
 */
export function secretsManagerOperations(store: SecretStore, rotations: Rotations): RehearsalService {
  const handlers: Readonly<Record<string, (call: Call) => unknown>> = {
    GetSecretValue: (call) => {
      const { SecretId, VersionId, VersionStage } = parse('GetSecretValue', call);
      const secret = store.get(SecretId);
      const version = store.version(secret, VersionId, VersionStage);
      return {
        ARN: secret.arn,
        Name: secret.name,
        VersionId: version.id,
        SecretString: version.value,
        VersionStages: [...version.stages],
        CreatedDate: new Date(version.createdAt),
      };
    },
    DescribeSecret: (call) => {
      const secret = store.get(parse('DescribeSecret', call).SecretId);
      return { ...describe(secret), ...rotations.describe(secret) };
    },
    PutSecretValue: (call) => {
      const input = parse('PutSecretValue', call);
      const secret = store.get(input.SecretId);
      const version = store.put(secret, input.SecretString, input.ClientRequestToken, input.VersionStages);
      return { ARN: secret.arn, Name: secret.name, VersionId: version.id, VersionStages: [...version.stages] };
    },
    CreateSecret: (call) => {
      const input = parse('CreateSecret', call);
      const secret = store.create(input.Name, input.SecretString, input.Description, input.ClientRequestToken);
      return { ARN: secret.arn, Name: secret.name, VersionId: store.version(secret, undefined, 'AWSCURRENT').id };
    },
    UpdateSecretVersionStage: (call) => {
      const input = parse('UpdateSecretVersionStage', call);
      const secret = store.get(input.SecretId);
      store.label(secret, input.VersionStage, input.MoveToVersionId, input.RemoveFromVersionId);
      return { ARN: secret.arn, Name: secret.name };
    },
    ListSecretVersionIds: (call) => {
      const { SecretId, IncludeDeprecated } = parse('ListSecretVersionIds', call);
      const secret = store.get(SecretId);
      const versions = [...secret.versions.values()].filter(({ stages }) => IncludeDeprecated || stages.size > 0);
      return {
        ARN: secret.arn,
        Name: secret.name,
        Versions: versions.map(({ id, stages, createdAt }) => ({
          VersionId: id,
          VersionStages: [...stages],
          CreatedDate: new Date(createdAt),
        })),
      };
    },
    RotateSecret: async (call) => {
      const input = parse('RotateSecret', call);
      const secret = store.get(input.SecretId);
      const version = await rotations.rotate(secret, {
        function: input.RotationLambdaARN,
        rules: input.RotationRules,
        immediately: input.RotateImmediately ?? true,
        token: input.ClientRequestToken,
      });
      return { ARN: secret.arn, Name: secret.name, VersionId: version };
    },
  };
  return {
    signingName: 'secretsmanager',
    protocol: 'awsJson1.1',
    operations: Object.keys(handlers),
    authorize: (call) => [permission(store, call)],
    handle: async (call) => handlers[call.operation]?.(call),
  };
}

/** https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html */
function permission(store: SecretStore, { operation, input }: Call): RequiredPermission {
  const id = String(operation === 'CreateSecret' ? input.Name : input.SecretId);
  const stage = operation === 'GetSecretValue' && input.VersionId === undefined ? 'AWSCURRENT' : undefined;
  return {
    action: `secretsmanager:${operation}`,
    resource: store.arnOf(id),
    conditions: {
      'secretsmanager:SecretId': [id],
      ...(input.VersionId === undefined ? {} : { 'secretsmanager:VersionId': [String(input.VersionId)] }),
      ...(input.VersionStage === undefined && stage === undefined
        ? {}
        : { 'secretsmanager:VersionStage': [String(input.VersionStage ?? stage)] }),
    },
  };
}

function describe(secret: Secret): Record<string, unknown> {
  return {
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description,
    CreatedDate: new Date(secret.createdAt),
    // Versions without a label are not named: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
    VersionIdsToStages: Object.fromEntries(
      [...secret.versions.values()].filter(({ stages }) => stages.size > 0).map((one) => [one.id, [...one.stages]]),
    ),
  };
}

function parse<Name extends keyof typeof schemas>(name: Name, call: Call): z.infer<(typeof schemas)[Name]> {
  const parsed = schemas[name].safeParse(call.input);
  if (parsed.success) return parsed.data as z.infer<(typeof schemas)[Name]>;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`);
  throw new ServiceError('NotRehearsable', `not rehearsable: secretsmanager.${name}: ${problems.join('; ')}`, 501);
}
