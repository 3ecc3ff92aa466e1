import { z } from 'zod';
import { cfnNumber, cfnTags, readProperties } from '../../core/properties';
import type { ResourceHandler, ResourceRequest } from '../../core/resource';
import type { Deployments } from './deployments';
import { type AppConfigStore, newId } from './model';

const DOCUMENTS = 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference';

const applicationSchema = z.strictObject({
  Description: z.string().optional(),
  Name: z.string(),
  Tags: cfnTags.optional(),
});

export function applicationHandler(store: AppConfigStore): ResourceHandler {
  const type = 'AWS::AppConfig::Application';
  return {
    type,
    source: `${DOCUMENTS}/aws-resource-appconfig-application.html`,
    properties: Object.keys(applicationSchema.shape),
    replaceOn: [],
    create: async (request) => {
      readProperties(type, applicationSchema, request);
      const id = newId();
      store.applications.add(id);
      return { physicalId: id, attributes: { ApplicationId: id } };
    },
    update: async ({ physicalId }) => ({ physicalId, attributes: { ApplicationId: physicalId } }),
    delete: async ({ physicalId }) => {
      store.applications.delete(physicalId);
    },
  };
}

const environmentSchema = z.strictObject({
  ApplicationId: z.string(),
  DeletionProtectionCheck: z.string().optional(),
  Description: z.string().optional(),
  Monitors: z
    .array(z.strictObject({ AlarmArn: z.string(), AlarmRoleArn: z.string().optional() }))
    .max(5)
    .optional(),
  Name: z.string(),
  Tags: cfnTags.optional(),
});

export function environmentHandler(store: AppConfigStore): ResourceHandler {
  const type = 'AWS::AppConfig::Environment';
  const put = (request: ResourceRequest, id: string) => {
    const { ApplicationId, Monitors = [] } = readProperties(type, environmentSchema, request);
    const monitors = Monitors.map(({ AlarmArn, AlarmRoleArn }) => ({ alarmArn: AlarmArn, roleArn: AlarmRoleArn }));
    store.environments.set(id, { application: ApplicationId, monitors });
    return { physicalId: id, attributes: { EnvironmentId: id } };
  };
  return {
    type,
    source: `${DOCUMENTS}/aws-resource-appconfig-environment.html`,
    properties: Object.keys(environmentSchema.shape),
    replaceOn: ['ApplicationId'],
    create: async (request) => put(request, newId()),
    update: async (request) => put(request, request.physicalId),
    delete: async ({ physicalId }) => store.deleteEnvironment(physicalId),
  };
}

const profileSchema = z.strictObject({
  ApplicationId: z.string(),
  Description: z.string().optional(),
  LocationUri: z.literal('hosted'),
  Name: z.string(),
  Tags: cfnTags.optional(),
  Type: z.literal('AWS.Freeform').optional(),
  Validators: z.array(z.strictObject({ Content: z.string(), Type: z.literal('JSON_SCHEMA') })).optional(),
});

export function profileHandler(store: AppConfigStore): ResourceHandler {
  const type = 'AWS::AppConfig::ConfigurationProfile';
  const put = (request: ResourceRequest, id: string) => {
    const { ApplicationId, Validators = [] } = readProperties(type, profileSchema, request);
    const versions = store.profiles.get(id)?.versions ?? new Map<string, string>();
    store.profiles.set(id, {
      application: ApplicationId,
      validators: Validators.map(({ Content }) => Content),
      versions,
    });
    return { physicalId: id, attributes: { ConfigurationProfileId: id } };
  };
  return {
    type,
    source: `${DOCUMENTS}/aws-resource-appconfig-configurationprofile.html`,
    properties: Object.keys(profileSchema.shape),
    replaceOn: ['ApplicationId', 'LocationUri', 'Type'],
    create: async (request) => put(request, newId()),
    update: async (request) => put(request, request.physicalId),
    delete: async ({ physicalId }) => {
      store.profiles.delete(physicalId);
    },
  };
}

const versionSchema = z.strictObject({
  ApplicationId: z.string(),
  ConfigurationProfileId: z.string(),
  Content: z.string(),
  ContentType: z.string(),
  Description: z.string().optional(),
});

export function versionHandler(store: AppConfigStore): ResourceHandler {
  const type = 'AWS::AppConfig::HostedConfigurationVersion';
  const numbers = new Map<string, number>();
  return {
    type,
    source: `${DOCUMENTS}/aws-resource-appconfig-hostedconfigurationversion.html`,
    properties: Object.keys(versionSchema.shape),
    // A version cannot be changed: every difference is a new one.
    replaceOn: Object.keys(versionSchema.shape),
    create: async (request) => {
      const { ConfigurationProfileId: profile, Content } = readProperties(type, versionSchema, request);
      const number = (numbers.get(profile) ?? 0) + 1;
      numbers.set(profile, number);
      store.profiles.get(profile)?.versions.set(String(number), Content);
      const attributes = { VersionNumber: String(number) };
      return { physicalId: `${profile}|${number}`, ref: String(number), attributes };
    },
    update: async ({ physicalId }) => ({ physicalId, ref: physicalId.split('|')[1] ?? '', attributes: {} }),
    delete: async ({ physicalId }) => {
      const [profile = '', number = ''] = physicalId.split('|');
      store.profiles.get(profile)?.versions.delete(number);
    },
  };
}

const strategySchema = z.strictObject({
  DeploymentDurationInMinutes: cfnNumber,
  Description: z.string().optional(),
  FinalBakeTimeInMinutes: cfnNumber.optional(),
  GrowthFactor: cfnNumber,
  GrowthType: z.enum(['LINEAR', 'EXPONENTIAL']).optional(),
  Name: z.string(),
  ReplicateTo: z.literal('NONE'),
  Tags: cfnTags.optional(),
});

const MINUTE_MS = 60_000;

export function strategyHandler(store: AppConfigStore): ResourceHandler {
  const type = 'AWS::AppConfig::DeploymentStrategy';
  const put = (request: ResourceRequest, id: string) => {
    const given = readProperties(type, strategySchema, request);
    store.strategies.set(id, {
      durationMs: given.DeploymentDurationInMinutes * MINUTE_MS,
      bakeMs: (given.FinalBakeTimeInMinutes ?? 0) * MINUTE_MS,
      growthFactor: given.GrowthFactor,
      growthType: given.GrowthType ?? 'LINEAR',
    });
    return { physicalId: id, attributes: { Id: id } };
  };
  return {
    type,
    source: `${DOCUMENTS}/aws-resource-appconfig-deploymentstrategy.html`,
    properties: Object.keys(strategySchema.shape),
    replaceOn: ['Name', 'ReplicateTo'],
    create: async (request) => put(request, newId()),
    update: async (request) => put(request, request.physicalId),
    delete: async ({ physicalId }) => {
      store.strategies.delete(physicalId);
    },
  };
}

const deploymentSchema = z.strictObject({
  ApplicationId: z.string(),
  ConfigurationProfileId: z.string(),
  ConfigurationVersion: z.string(),
  DeploymentStrategyId: z.string(),
  Description: z.string().optional(),
  EnvironmentId: z.string(),
  Tags: cfnTags.optional(),
});

/**
 * Our reading, for the document does not say it: creating waits until the deployment is complete and fails when it is
 * rolled back; deleting a complete one changes nothing of what is served.
 */
export function deploymentHandler(deployments: Deployments): ResourceHandler {
  const type = 'AWS::AppConfig::Deployment';
  return {
    type,
    source: `${DOCUMENTS}/aws-resource-appconfig-deployment.html`,
    properties: Object.keys(deploymentSchema.shape),
    replaceOn: Object.keys(deploymentSchema.shape),
    create: async (request) => {
      const given = readProperties(type, deploymentSchema, request);
      const number = await deployments.run(
        {
          application: given.ApplicationId,
          environment: given.EnvironmentId,
          profile: given.ConfigurationProfileId,
          version: given.ConfigurationVersion,
          strategy: given.DeploymentStrategyId,
        },
        request,
      );
      const attributes = { DeploymentNumber: String(number), State: 'COMPLETE' };
      return { physicalId: `${given.EnvironmentId}|${number}`, ref: String(number), attributes };
    },
    update: async ({ physicalId }) => ({ physicalId, ref: physicalId.split('|')[1] ?? '', attributes: {} }),
    delete: async () => undefined,
  };
}
