import { z } from 'zod';
import type { LambdaPort } from '../../core/ports';
import {
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import { DeploymentFailure } from './model';
import type { CodeDeployService } from './service';

/** The resource handler of an alias gives up after this, CodeDeploy's wait included. */
const HANDLER_TIMEOUT_MS = 120 * 60_000;

const weightSchema = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^[01](\.\d+)?$/)
      .transform(Number),
  ])
  .pipe(z.number().min(0).max(1));

const propertiesSchema = z.object({
  /** Name, partial ARN or ARN. */
  FunctionName: z.string(),
  FunctionVersion: z.union([z.string(), z.number().transform(String)]),
  Name: z.string().regex(/^(?![0-9]+$)[a-zA-Z0-9-_]{1,128}$/),
  RoutingConfig: z
    .object({
      AdditionalVersionWeights: z
        .array(z.object({ FunctionVersion: z.string(), FunctionWeight: weightSchema }))
        .default([]),
    })
    .optional(),
});

const policySchema = z.object({
  CodeDeployLambdaAliasUpdate: z
    .object({
      ApplicationName: z.string(),
      DeploymentGroupName: z.string(),
      BeforeAllowTrafficHook: z.string().optional(),
      AfterAllowTrafficHook: z.string().optional(),
    })
    .optional(),
});

/**
 * `AWS::Lambda::Alias`. With the update policy CodeDeployLambdaAliasUpdate a new version arrives by a CodeDeploy
 * deployment, and the resource fails when the deployment fails. Nothing of that on create, when the version stays, or
 * when a rollback puts the alias back.
 */
export function aliasHandler(lambda: LambdaPort, codeDeploy: CodeDeployService): ResourceHandler {
  const put = (request: ResourceRequest): ResourceOutcome => {
    const alias = read(request);
    const { arn } = lambda.putAlias(alias);
    return { physicalId: arn, attributes: { AliasArn: arn } };
  };

  const deploy = async (request: ResourceUpdateRequest, policy: Policy): Promise<ResourceOutcome> => {
    const wanted = read(request);
    const before = lambda.getAlias(wanted.functionName, wanted.name);
    if (before === undefined) {
      throw new ResourceFailure(`alias ${wanted.functionName}:${wanted.name} does not exist`);
    }
    try {
      await codeDeploy.deploy({
        application: policy.ApplicationName,
        group: policy.DeploymentGroupName,
        functionName: wanted.functionName,
        alias: wanted.name,
        fromVersion: before.version,
        toVersion: wanted.version,
        beforeHook: policy.BeforeAllowTrafficHook,
        afterHook: policy.AfterAllowTrafficHook,
        timeoutMs: HANDLER_TIMEOUT_MS,
        report: request.report,
      });
    } catch (error) {
      if (error instanceof DeploymentFailure) {
        throw new ResourceFailure(`CodeDeploy deployment failed: ${error.message}`);
      }
      throw error;
    }
    return { physicalId: request.physicalId, attributes: { AliasArn: request.physicalId } };
  };

  return {
    type: 'AWS::Lambda::Alias',
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-updatepolicy.html',
    properties: ['Description', 'FunctionName', 'FunctionVersion', 'Name', 'RoutingConfig'],
    replaceOn: ['FunctionName', 'Name'],
    create: async (request) => {
      const { functionName, name } = read(request);
      if (lambda.getAlias(functionName, name) !== undefined) {
        throw new ResourceFailure(`alias ${functionName}:${name} already exists`);
      }
      return put(request);
    },
    update: async (request) => {
      const policy = policyOf(request);
      const versionChanged = String(request.properties.FunctionVersion) !== String(request.previous.FunctionVersion);
      return policy !== undefined && versionChanged && !request.rollback ? deploy(request, policy) : put(request);
    },
    delete: async (request) => {
      const parsed = propertiesSchema.parse(request.properties);
      lambda.deleteAlias(functionNameOf(parsed.FunctionName), parsed.Name);
    },
  };
}

type Policy = NonNullable<z.infer<typeof policySchema>['CodeDeployLambdaAliasUpdate']>;

function policyOf(request: ResourceRequest): Policy | undefined {
  const parsed = policySchema.safeParse(request.updatePolicy ?? {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ResourceFailure(`UpdatePolicy.${issue?.path.join('.')}: ${issue?.message}`);
  }
  return parsed.data.CodeDeployLambdaAliasUpdate;
}

function read(request: ResourceRequest) {
  const parsed = propertiesSchema.safeParse(request.properties);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ResourceFailure(`alias: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { FunctionName, FunctionVersion, Name, RoutingConfig } = parsed.data;
  return {
    functionName: functionNameOf(FunctionName),
    name: Name,
    version: FunctionVersion,
    weights: Object.fromEntries(
      (RoutingConfig?.AdditionalVersionWeights ?? []).map((entry) => [entry.FunctionVersion, entry.FunctionWeight]),
    ),
  };
}

/** `name`, `123456789012:function:name` or an ARN, with or without qualifier. */
function functionNameOf(text: string): string {
  const match = /(?:^|:)function:([^:]+)/.exec(text);
  return match?.[1] ?? text.split(':')[0] ?? text;
}
