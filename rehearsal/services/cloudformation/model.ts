/** Events and results of the engine. Times are cloud milliseconds since 1970. */

export type DeployStatus =
  | 'CREATE_COMPLETE'
  | 'UPDATE_COMPLETE'
  | 'NO_CHANGES'
  | 'ROLLBACK_COMPLETE'
  | 'ROLLBACK_FAILED'
  | 'UPDATE_ROLLBACK_COMPLETE'
  | 'UPDATE_ROLLBACK_FAILED';

/** One line of the stack's history, as `cdk deploy` prints them. */
export interface StackEvent {
  readonly at: number;
  readonly stackName: string;
  readonly logicalId: string;
  readonly path: string;
  readonly type: string;
  readonly physicalId?: string;
  /** `CREATE_IN_PROGRESS`, `UPDATE_FAILED`, … */
  readonly status: string;
  readonly reason?: string;
}

/** Progress message of a resource operation. */
export interface ProgressEvent {
  readonly at: number;
  readonly stackName: string;
  readonly logicalId: string;
  readonly path: string;
  readonly message: string;
}

export interface ResourceChange {
  readonly logicalId: string;
  readonly path: string;
  readonly type: string;
  /** `retain`: removed from the template and kept by its deletion policy. */
  readonly action: 'create' | 'update' | 'replace' | 'remove' | 'retain';
  readonly replaced: boolean;
  /** First-level properties that differ. */
  readonly properties: readonly string[];
}

export interface ResourceName {
  readonly logicalId: string;
  readonly path: string;
  readonly type: string;
}

export interface RetainedResource extends ResourceName {
  readonly physicalId: string;
}

export interface DeployResult {
  readonly status: DeployStatus;
  readonly stackName: string;
  /** First failure: path and reason. */
  readonly reason?: string;
  readonly failedResource?: ResourceName;
  readonly outputs: Readonly<Record<string, string>>;
  readonly events: readonly StackEvent[];
  /** Changes of the operation and its clean-up, in order. */
  readonly changes: readonly ResourceChange[];
  readonly startedAt: number;
  readonly durationMs: number;
}

export interface DestroyResult {
  readonly status: 'DELETE_COMPLETE' | 'DELETE_FAILED';
  /** Retained by deletion policy, in this and in earlier operations. */
  readonly retained: readonly RetainedResource[];
  /** Paths of resources whose deletion protection the rehearsal switched off first. */
  readonly deletionProtectionOverridden: readonly string[];
  readonly failures: readonly { readonly path: string; readonly reason: string }[];
  readonly events: readonly StackEvent[];
  readonly durationMs: number;
}

export interface StackResourceView extends ResourceName {
  readonly physicalId: string;
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly properties: Readonly<Record<string, unknown>>;
  /** Whether its deletion policy retains it when the stack is deleted. */
  readonly kept: boolean;
}

/** A template that uses something the rehearsal does not imitate, or that CloudFormation would reject. */
export class NotRehearsable extends Error {
  constructor(
    stackName: string,
    readonly findings: readonly string[],
  ) {
    super(`stack ${stackName} cannot be rehearsed:\n${findings.map((finding) => `  ${finding}`).join('\n')}`);
    this.name = 'NotRehearsable';
  }
}
