import type { ResourceOutcome } from '../../core/resource';
import type { RetainedResource } from './model';
import type { Plan } from './plan';
import type { DeletionPolicy, TemplateResource } from './template';

/** A resource as it exists. */
export interface DeployedResource {
  readonly logicalId: string;
  readonly type: string;
  readonly path: string;
  readonly physicalId: string;
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Resolved. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly updatePolicy: Readonly<Record<string, unknown>> | undefined;
  readonly deletionPolicy: DeletionPolicy;
  readonly updateReplacePolicy: 'Delete' | 'Retain';
  readonly needs: ReadonlySet<string>;
}

export interface Stack {
  readonly name: string;
  readonly id: string;
  status: string;
  busy: boolean;
  assemblyDirectory: string;
  /** Canonical text of template and parameters that the resources come from. */
  fingerprint: string;
  plan: Plan;
  resources: Map<string, DeployedResource>;
  outputs: Readonly<Record<string, string>>;
  readonly retained: RetainedResource[];
}

export function deployedResource(
  resource: TemplateResource,
  needs: ReadonlySet<string>,
  properties: Readonly<Record<string, unknown>>,
  updatePolicy: Readonly<Record<string, unknown>> | undefined,
  outcome: ResourceOutcome,
): DeployedResource {
  return {
    logicalId: resource.logicalId,
    type: resource.type,
    path: resource.path,
    physicalId: outcome.physicalId,
    ref: outcome.ref ?? outcome.physicalId,
    attributes: outcome.attributes,
    properties,
    updatePolicy,
    deletionPolicy: resource.deletionPolicy,
    updateReplacePolicy: resource.updateReplacePolicy,
    needs,
  };
}
