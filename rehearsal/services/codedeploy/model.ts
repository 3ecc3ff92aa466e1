export type AutoRollbackEvent = 'DEPLOYMENT_FAILURE' | 'DEPLOYMENT_STOP_ON_ALARM' | 'DEPLOYMENT_STOP_ON_REQUEST';

/** A deployment group for Lambda. */
export interface DeploymentGroup {
  readonly application: string;
  readonly name: string;
  readonly arn: string;
  readonly configName: string;
  readonly serviceRoleArn: string;
  /** Names of the alarms that stop a deployment; none while the alarm configuration is disabled. */
  readonly alarms: readonly string[];
  /** Continue even if the state of the alarms cannot be read. */
  readonly ignorePollAlarmFailure: boolean;
  readonly autoRollback: readonly AutoRollbackEvent[];
}

export interface DeploymentRequest {
  readonly application: string;
  readonly group: string;
  readonly functionName: string;
  readonly alias: string;
  readonly fromVersion: string;
  readonly toVersion: string;
  /** Function name or ARN. */
  readonly beforeHook?: string;
  readonly afterHook?: string;
  /** Cloud milliseconds after which the deployment is stopped and rolled back. */
  readonly timeoutMs?: number;
  /** Reports each step in one sentence. */
  report(message: string): void;
}

export type LifecycleName = 'BeforeAllowTraffic' | 'AllowTraffic' | 'AfterAllowTraffic';
export type LifecycleStatus = 'Pending' | 'InProgress' | 'Succeeded' | 'Failed' | 'Skipped';
export type DeploymentStatus = 'Created' | 'InProgress' | 'Succeeded' | 'Failed' | 'Stopped';

export interface LifecycleView {
  readonly name: LifecycleName;
  readonly status: LifecycleStatus;
  /** Cloud milliseconds since 1970. */
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly message?: string;
}

/** A deployment for reports. Times in cloud milliseconds since 1970. */
export interface DeploymentView {
  readonly id: string;
  readonly application: string;
  readonly group: string;
  readonly functionName: string;
  readonly alias: string;
  readonly fromVersion: string;
  readonly toVersion: string;
  readonly status: DeploymentStatus;
  readonly createdAt: number;
  readonly endedAt?: number;
  readonly reason?: string;
  /** Alarms that stopped it. */
  readonly alarms: readonly string[];
  readonly lifecycle: readonly LifecycleView[];
  /** Share of the new version from each moment on; a rollback is a weight of 0. */
  readonly shifts: readonly { readonly at: number; readonly weight: number }[];
  readonly rolledBackAt?: number;
}

export interface DeploymentEvent {
  readonly at: number;
  readonly deploymentId: string;
  readonly group: string;
  readonly event: 'created' | 'lifecycle' | 'shift' | 'alarm' | 'rollback' | 'ended';
  readonly message: string;
  /** With `shift` and `rollback`: share of the new version, 0 to 1. */
  readonly weight?: number;
}

/** Why a deployment did not succeed. `code` is CodeDeploy's. */
export class DeploymentFailure extends Error {
  constructor(
    readonly code: 'ALARM_ACTIVE' | 'HOOK_FAILED' | 'PERMISSION_DENIED' | 'MANUAL_STOP' | 'INTERNAL_ERROR' | 'TIMEOUT',
    message: string,
    readonly alarms: readonly string[] = [],
  ) {
    super(message);
  }
}
