import { Annotations, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { isOfService, stagingDiffers, stale, staleAcceptance, unaccepted } from './acceptance';
import type { AgentEnvironment } from './agent-environment';
import { applyLogging, checkLogLevelAgrees } from './logging';
import { type Difference, differencesOf, type Profile, profileOf, type StagedService } from './profile';
import { type ServiceSettings, serviceProfileOf, TOOLS_OF_RELEASE } from './service-profile';

/** Key in the metadata of a template. */
const METADATA_KEY = 'AgentLanesEnvironments';

/** A service that joins an environment. */
export interface JoiningService extends ServiceSettings {
  readonly agentName: string;
}

/** Called as the last step of the constructor of a service, when all constructs below it exist. */
export function joinEnvironment(service: Construct, environment: AgentEnvironment, joining: JoiningService): void {
  checkLogLevelAgrees(service, environment, joining.worker);
  applyLogging(service, environment);
  stageService(environment, joining.agentName, { construct: service, profile: () => serviceProfileOf(joining) });
}

/**
 * Records that the service is in the environment: in the template's metadata, where a reviewer reads the accepted
 * differences and their reasons; and, for staging, for the comparison with production when the app is synthesized.
 */
function stageService(environment: AgentEnvironment, agentName: string, service: StagedService): void {
  environment._services.push(service);
  const { construct } = service;
  const { templateOptions } = Stack.of(construct);
  templateOptions.metadata = {
    ...templateOptions.metadata,
    [METADATA_KEY]: {
      ...templateOptions.metadata?.[METADATA_KEY],
      [agentName]: { environment: environment.name, accepted: { ...environment.accepted } },
    },
  };
  const { _production: production } = environment;
  if (production !== undefined) {
    construct.node.addValidation({ validate: () => compare(environment, production, service) });
  }
}

function compare(staging: AgentEnvironment, production: AgentEnvironment, service: StagedService): string[] {
  const differences = differencesFrom(staging, production, service);
  if (differences === undefined) {
    Annotations.of(service.construct).addWarningV2(
      'cdk-agent-lanes:stagingAlone',
      `no service "${service.construct.node.id}" of environment "${production.name}" is in this app, so the settings of ${service.construct.node.path} were not compared: define both in one app, with the same construct id`,
    );
    return [];
  }
  const refused = unaccepted(differences, staging.accepted);
  return [
    ...(refused.length === 0 ? [] : [`UnacceptedDifference: ${stagingDiffers(refused)}`]),
    ...staleOfServices(staging, production, service),
  ];
}

/** Acceptances that match no difference of any service of staging; reported once, by the first service. */
function staleOfServices(staging: AgentEnvironment, production: AgentEnvironment, service: StagedService): string[] {
  if (staging._services[0] !== service) {
    return [];
  }
  const all = staging._services.map((each) => differencesFrom(staging, production, each));
  if (all.includes(undefined)) {
    return [];
  }
  const differences = all.flatMap((each) => each ?? []);
  const unused = stale(differences, staging.accepted).filter(isOfService);
  return unused.length === 0 ? [] : [`StaleAcceptance: ${staleAcceptance(unused)}`];
}

/** Undefined without a counterpart. */
function differencesFrom(
  staging: AgentEnvironment,
  production: AgentEnvironment,
  { construct, profile }: StagedService,
): Difference[] | undefined {
  const sameId = production._services.filter((each) => each.construct.node.id === construct.node.id);
  const counterpart =
    sameId.length > 1 ? sameId.find((each) => within(each.construct) === within(construct)) : sameId[0];
  if (counterpart === undefined) {
    return undefined;
  }
  const sameTools = differencesOf(toolsOf(staging), toolsOf(production)).length === 0;
  // Different tools of the environments are accepted for the environments: different tools of the releases follow from that.
  return differencesOf(profile(), counterpart.profile()).filter(({ name }) => sameTools || name !== TOOLS_OF_RELEASE);
}

function toolsOf({ tools, liveTools }: AgentEnvironment): Profile {
  return new Map([...profileOf('tools', tools), ...profileOf('liveTools', liveTools)]);
}

/** Path below the stack. */
function within(construct: Construct): string {
  return construct.node.path.slice(Stack.of(construct).node.path.length);
}
