import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import type { LambdaPort } from '../../core/ports';
import {
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import type { Deployments } from './deployments';
import { DeploymentFailure } from './model';
import { predefinedShift, readTrafficRouting } from './traffic-shift';

const DOCUMENTS = 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide';

export function applicationHandler(deployments: Deployments): ResourceHandler {
  return {
    type: 'AWS::CodeDeploy::Application',
    source: `${DOCUMENTS}/aws-resource-codedeploy-application.html`,
    properties: ['ApplicationName', 'ComputePlatform', 'Tags'],
    replaceOn: ['ApplicationName', 'ComputePlatform'],
    create: async (request) => {
      lambdaOnly(request);
      const name = nameOf(request, 'ApplicationName');
      if (deployments.applications.has(name)) {
        throw new ResourceFailure(`application ${name} already exists`);
      }
      deployments.applications.add(name);
      return { physicalId: name, attributes: {} };
    },
    update: async (request) => ({ physicalId: request.physicalId, attributes: {} }),
    delete: async (request) => {
      deployments.applications.delete(request.physicalId);
    },
  };
}

export function deploymentConfigHandler(deployments: Deployments): ResourceHandler {
  return {
    type: 'AWS::CodeDeploy::DeploymentConfig',
    source: `${DOCUMENTS}/aws-resource-codedeploy-deploymentconfig.html`,
    properties: ['ComputePlatform', 'DeploymentConfigName', 'TrafficRoutingConfig'],
    // A configuration cannot be changed: every change is a replacement.
    replaceOn: ['ComputePlatform', 'DeploymentConfigName', 'TrafficRoutingConfig'],
    create: async (request) => {
      lambdaOnly(request);
      const name = nameOf(request, 'DeploymentConfigName');
      if (deployments.configs.has(name) || predefinedShift(name) !== undefined) {
        throw new ResourceFailure(`deployment configuration ${name} already exists`);
      }
      try {
        deployments.configs.set(name, readTrafficRouting(request.properties.TrafficRoutingConfig));
      } catch (error) {
        throw new ResourceFailure(
          `deployment configuration ${name}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      return { physicalId: name, attributes: {} };
    },
    update: async (request) => ({ physicalId: request.physicalId, attributes: {} }),
    delete: async (request) => {
      if (deployments.usesConfig(request.physicalId)) {
        throw new ResourceFailure(`deployment configuration ${request.physicalId} is in use by a deployment group`);
      }
      deployments.configs.delete(request.physicalId);
    },
  };
}

/** CloudFormation also passes booleans as text. */
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);

const groupSchema = z.object({
  ApplicationName: z.string(),
  ServiceRoleArn: z.string(),
  DeploymentConfigName: z.string().default('CodeDeployDefault.LambdaAllAtOnce'),
  AlarmConfiguration: z
    .object({
      Alarms: z.array(z.object({ Name: z.string() })).default([]),
      Enabled: flag.default(true),
      IgnorePollAlarmFailure: flag.default(false),
    })
    .default({ Alarms: [], Enabled: false, IgnorePollAlarmFailure: false }),
  AutoRollbackConfiguration: z
    .object({
      Enabled: flag.default(false),
      Events: z
        .array(z.enum(['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM', 'DEPLOYMENT_STOP_ON_REQUEST']))
        .default([]),
    })
    .default({ Enabled: false, Events: [] }),
  DeploymentStyle: z
    .object({ DeploymentOption: z.literal('WITH_TRAFFIC_CONTROL'), DeploymentType: z.literal('BLUE_GREEN') })
    .optional(),
});

/** Maximum number of alarms per group. Source: https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html */
const MAX_ALARMS = 10;

export function deploymentGroupHandler(deployments: Deployments): ResourceHandler {
  const put = (request: ResourceRequest, name: string): ResourceOutcome => {
    const parsed = groupSchema.safeParse(request.properties);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new ResourceFailure(`deployment group ${name}: ${issue?.path.join('.')}: ${issue?.message}`);
    }
    const given = parsed.data;
    const application = given.ApplicationName;
    if (!deployments.applications.has(application)) {
      throw new ResourceFailure(`deployment group ${name}: no application ${application}`);
    }
    const configName = given.DeploymentConfigName;
    if (!deployments.configs.has(configName) && predefinedShift(configName) === undefined) {
      throw new ResourceFailure(`deployment group ${name}: no deployment configuration ${configName}`);
    }
    const alarms = given.AlarmConfiguration.Enabled ? given.AlarmConfiguration.Alarms.map((alarm) => alarm.Name) : [];
    if (alarms.length > MAX_ALARMS) {
      throw new ResourceFailure(
        `deployment group ${name}: ${alarms.length} alarms; CodeDeploy allows ${MAX_ALARMS} per group`,
      );
    }
    const { partition, region, account } = request.stack;
    deployments.putGroup({
      application,
      name,
      arn: `arn:${partition}:codedeploy:${region}:${account}:deploymentgroup:${application}/${name}`,
      configName,
      serviceRoleArn: given.ServiceRoleArn,
      alarms,
      ignorePollAlarmFailure: given.AlarmConfiguration.IgnorePollAlarmFailure,
      autoRollback: given.AutoRollbackConfiguration.Enabled ? given.AutoRollbackConfiguration.Events : [],
    });
    return { physicalId: name, attributes: {} };
  };
  return {
    type: 'AWS::CodeDeploy::DeploymentGroup',
    source: `${DOCUMENTS}/aws-resource-codedeploy-deploymentgroup.html`,
    properties: [
      'AlarmConfiguration',
      'ApplicationName',
      'AutoRollbackConfiguration',
      'DeploymentConfigName',
      'DeploymentGroupName',
      'DeploymentStyle',
      'ServiceRoleArn',
      'Tags',
    ],
    replaceOn: ['ApplicationName', 'DeploymentGroupName'],
    create: async (request) => {
      const name = nameOf(request, 'DeploymentGroupName');
      if (deployments.group(String(request.properties.ApplicationName), name) !== undefined) {
        throw new ResourceFailure(`deployment group ${name} already exists`);
      }
      return put(request, name);
    },
    update: async (request) => put(request, request.physicalId),
    delete: async (request) => deployments.removeGroup(String(request.properties.ApplicationName), request.physicalId),
  };
}

function nameOf(request: ResourceRequest, property: string): string {
  const given = request.properties[property];
  return typeof given === 'string' ? given : physicalName(request.stack, request.logicalId, { maxLength: 100 });
}

function lambdaOnly(request: ResourceRequest): void {
  const platform = request.properties.ComputePlatform;
  if (platform !== 'Lambda') {
    throw new ResourceFailure(
      `not rehearsable: CodeDeploy for ${platform ?? 'Server'} (${request.path}); the rehearsal supports Lambda only`,
    );
  }
}

/** Timeout of the resource handler of an alias, with the deployment. */
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

const aliasSchema = z.object({
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

const updatePolicySchema = z.object({
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
 * deployment, and the resource fails when the deployment fails. There is no deployment on create, when
 * the version is unchanged, or in a rollback.
 */
export function aliasHandler(lambda: LambdaPort, deployments: Deployments): ResourceHandler {
  const put = (request: ResourceRequest): ResourceOutcome => {
    const alias = readAlias(request);
    const { arn } = lambda.putAlias(alias);
    return { physicalId: arn, attributes: { AliasArn: arn } };
  };

  const deploy = async (request: ResourceUpdateRequest, policy: AliasUpdatePolicy): Promise<ResourceOutcome> => {
    const wanted = readAlias(request);
    const before = lambda.getAlias(wanted.functionName, wanted.name);
    if (before === undefined) {
      throw new ResourceFailure(`alias ${wanted.functionName}:${wanted.name} does not exist`);
    }
    try {
      await deployments.deploy({
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
      const { functionName, name } = readAlias(request);
      if (lambda.getAlias(functionName, name) !== undefined) {
        throw new ResourceFailure(`alias ${functionName}:${name} already exists`);
      }
      return put(request);
    },
    update: async (request) => {
      const policy = updatePolicyOf(request);
      const versionChanged = String(request.properties.FunctionVersion) !== String(request.previous.FunctionVersion);
      return policy !== undefined && versionChanged && !request.rollback ? deploy(request, policy) : put(request);
    },
    delete: async (request) => {
      const parsed = aliasSchema.parse(request.properties);
      lambda.deleteAlias(functionNameOf(parsed.FunctionName), parsed.Name);
    },
  };
}

type AliasUpdatePolicy = NonNullable<z.infer<typeof updatePolicySchema>['CodeDeployLambdaAliasUpdate']>;

function updatePolicyOf(request: ResourceRequest): AliasUpdatePolicy | undefined {
  const parsed = updatePolicySchema.safeParse(request.updatePolicy ?? {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ResourceFailure(`UpdatePolicy.${issue?.path.join('.')}: ${issue?.message}`);
  }
  return parsed.data.CodeDeployLambdaAliasUpdate;
}

function readAlias(request: ResourceRequest) {
  const parsed = aliasSchema.safeParse(request.properties);
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
