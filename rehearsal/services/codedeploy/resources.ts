import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import { ResourceFailure, type ResourceHandler, type ResourceOutcome, type ResourceRequest } from '../../core/resource';
import type { CodeDeployService } from './service';
import { predefinedShift, readTrafficRouting } from './traffic-shift';

const DOCUMENTS = 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide';

export function applicationHandler(service: CodeDeployService): ResourceHandler {
  return {
    type: 'AWS::CodeDeploy::Application',
    source: `${DOCUMENTS}/aws-resource-codedeploy-application.html`,
    properties: ['ApplicationName', 'ComputePlatform', 'Tags'],
    replaceOn: ['ApplicationName', 'ComputePlatform'],
    create: async (request) => {
      lambdaOnly(request);
      const name = nameOf(request, 'ApplicationName');
      if (service.applications.has(name)) {
        throw new ResourceFailure(`application ${name} already exists`);
      }
      service.applications.add(name);
      return { physicalId: name, attributes: {} };
    },
    update: async (request) => ({ physicalId: request.physicalId, attributes: {} }),
    delete: async (request) => {
      service.applications.delete(request.physicalId);
    },
  };
}

export function deploymentConfigHandler(service: CodeDeployService): ResourceHandler {
  return {
    type: 'AWS::CodeDeploy::DeploymentConfig',
    source: `${DOCUMENTS}/aws-resource-codedeploy-deploymentconfig.html`,
    properties: ['ComputePlatform', 'DeploymentConfigName', 'TrafficRoutingConfig'],
    // A configuration cannot be changed: every difference is a new one.
    replaceOn: ['ComputePlatform', 'DeploymentConfigName', 'TrafficRoutingConfig'],
    create: async (request) => {
      lambdaOnly(request);
      const name = nameOf(request, 'DeploymentConfigName');
      if (service.configs.has(name) || predefinedShift(name) !== undefined) {
        throw new ResourceFailure(`deployment configuration ${name} already exists`);
      }
      try {
        service.configs.set(name, readTrafficRouting(request.properties.TrafficRoutingConfig));
      } catch (error) {
        throw new ResourceFailure(
          `deployment configuration ${name}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      return { physicalId: name, attributes: {} };
    },
    update: async (request) => ({ physicalId: request.physicalId, attributes: {} }),
    delete: async (request) => {
      if (service.usesConfig(request.physicalId)) {
        throw new ResourceFailure(`deployment configuration ${request.physicalId} is in use by a deployment group`);
      }
      service.configs.delete(request.physicalId);
    },
  };
}

/** CloudFormation hands booleans over as text as well. */
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

/** Alarms per group that CodeDeploy takes. Source: https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html */
const MAX_ALARMS = 10;

export function deploymentGroupHandler(service: CodeDeployService): ResourceHandler {
  const put = (request: ResourceRequest, name: string): ResourceOutcome => {
    const parsed = groupSchema.safeParse(request.properties);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new ResourceFailure(`deployment group ${name}: ${issue?.path.join('.')}: ${issue?.message}`);
    }
    const given = parsed.data;
    const application = given.ApplicationName;
    if (!service.applications.has(application)) {
      throw new ResourceFailure(`deployment group ${name}: no application ${application}`);
    }
    const configName = given.DeploymentConfigName;
    if (!service.configs.has(configName) && predefinedShift(configName) === undefined) {
      throw new ResourceFailure(`deployment group ${name}: no deployment configuration ${configName}`);
    }
    const alarms = given.AlarmConfiguration.Enabled ? given.AlarmConfiguration.Alarms.map((alarm) => alarm.Name) : [];
    if (alarms.length > MAX_ALARMS) {
      throw new ResourceFailure(
        `deployment group ${name}: ${alarms.length} alarms; CodeDeploy takes ${MAX_ALARMS} per group`,
      );
    }
    const { partition, region, account } = request.stack;
    service.putGroup({
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
      if (service.group(String(request.properties.ApplicationName), name) !== undefined) {
        throw new ResourceFailure(`deployment group ${name} already exists`);
      }
      return put(request, name);
    },
    update: async (request) => put(request, request.physicalId),
    delete: async (request) => service.removeGroup(String(request.properties.ApplicationName), request.physicalId),
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
      `not rehearsable: CodeDeploy for ${platform ?? 'Server'} (${request.path}); the rehearsal knows Lambda`,
    );
  }
}
