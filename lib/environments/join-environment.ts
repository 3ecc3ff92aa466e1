import type { Construct } from 'constructs';
import type { AgentEnvironment } from './agent-environment';
import { applyLogging, checkLogLevelAgrees } from './logging';
import { type ServiceSettings, serviceProfileOf } from './service-profile';
import { stageService } from './staged-service';

export interface Joining extends ServiceSettings {
  readonly agentName: string;
}

/** The last act of a service that is built: everything below it is there. */
export function joinEnvironment(service: Construct, environment: AgentEnvironment, joining: Joining): void {
  checkLogLevelAgrees(service, environment, joining.worker);
  applyLogging(service, environment);
  stageService(environment, joining.agentName, { construct: service, profile: serviceProfileOf(joining) });
}
