import type {
  AlarmView,
  AliasView,
  IamPort,
  InvokeRequest,
  LambdaPort,
  MetricsPort,
} from '../../../rehearsal/core/ports';
import { OPERATOR } from '../../../rehearsal/core/principal';
import type { StackContext } from '../../../rehearsal/core/resource';
import type { RequiredPermission } from '../../../rehearsal/core/service';
import type { DeploymentEvent } from '../../../rehearsal/services/codedeploy';
import { Deployments } from '../../../rehearsal/services/codedeploy/deployments';
import { CodeDeployOperations } from '../../../rehearsal/services/codedeploy/operations';
import {
  aliasHandler,
  applicationHandler,
  deploymentConfigHandler,
  deploymentGroupHandler,
} from '../../../rehearsal/services/codedeploy/resources';
import { ManualClock } from '../../support/manual-clock';

export const MINUTE = 60_000;

/** CodeDeploy with a function, its alias and two alarms that tests set by hand. */
export function world() {
  const clock = new ManualClock();
  const aliases = new Map<string, AliasView>();
  const invocations: InvokeRequest[] = [];
  const alarms = new Map<string, AlarmView>();
  const decisions: RequiredPermission[] = [];
  const denied = new Set<string>();
  const events: DeploymentEvent[] = [];
  const reports: string[] = [];

  const lambda: LambdaPort = {
    invoke: async (request) => {
      invocations.push(request);
      return { status: 202, payload: '', executedVersion: '$LATEST' };
    },
    getAlias: (functionName, name) => aliases.get(`${functionName}:${name}`),
    putAlias: (alias) => {
      aliases.set(`${alias.functionName}:${alias.name}`, alias);
      return { arn: `arn:aws:lambda:us-east-1:123456789012:function:${alias.functionName}:${alias.name}` };
    },
    deleteAlias: (functionName, name) => aliases.delete(`${functionName}:${name}`),
  };
  const metrics: MetricsPort = {
    put: () => undefined,
    ingestLogLine: () => undefined,
    alarm: (name) => alarms.get(name),
    alarms: () => [...alarms.values()],
  };
  const iam: IamPort = {
    sessionFor: () => ({ accessKeyId: 'a', secretAccessKey: 's', sessionToken: 't' }),
    principalOf: () => undefined,
    decide: (_principal, permission) => {
      decisions.push(permission);
      return { allowed: !denied.has(permission.action), reason: 'no statement allows it' };
    },
    attachResourcePolicy: () => undefined,
    detachResourcePolicy: () => undefined,
    statistics: () => ({ calls: decisions.length, denied: [] }),
  };
  const deployments = new Deployments({ clock, lambda, metrics, iam, onEvent: (event) => events.push(event) });
  const service = new CodeDeployOperations(deployments);
  const stack: StackContext = {
    stackName: 'Test',
    stackId: 'arn:aws:cloudformation:us-east-1:123456789012:stack/Test/1',
    region: 'us-east-1',
    account: '123456789012',
    partition: 'aws',
    assemblyDirectory: '/',
    clock,
  };
  const request = (logicalId: string, properties: Record<string, unknown>) => ({
    stack,
    logicalId,
    path: `Test/${logicalId}`,
    properties,
    report: (message: string) => reports.push(message),
  });
  const setAlarm = (name: string, state: AlarmView['state']) =>
    alarms.set(name, {
      name,
      arn: `arn:aws:cloudwatch:us-east-1:123456789012:alarm:${name}`,
      state,
      reason: 'because the test says so',
      threshold: 1,
      value: 2,
      hadData: true,
    });
  setAlarm('errors', 'OK');
  setAlarm('cost', 'INSUFFICIENT_DATA');

  const group = {
    ApplicationName: 'app',
    DeploymentGroupName: 'group',
    ServiceRoleArn: 'arn:aws:iam::123456789012:role/deploy',
    DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent5Minutes',
    AlarmConfiguration: { Enabled: true, Alarms: [{ Name: 'errors' }, { Name: 'cost' }] },
    AutoRollbackConfiguration: { Enabled: true, Events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM'] },
    DeploymentStyle: { DeploymentOption: 'WITH_TRAFFIC_CONTROL', DeploymentType: 'BLUE_GREEN' },
  };
  const handlers = {
    application: applicationHandler(deployments),
    group: deploymentGroupHandler(deployments),
    config: deploymentConfigHandler(deployments),
    alias: aliasHandler(lambda, deployments),
  };
  const ALIAS_ARN = 'arn:aws:lambda:us-east-1:123456789012:function:router:live';
  return {
    clock,
    aliases,
    invocations,
    decisions,
    denied,
    events,
    reports,
    deployments,
    service,
    handlers,
    request,
    setAlarm,
    removeAlarm: (name: string) => alarms.delete(name),
    live: () => aliases.get('router:live'),
    call: (operation: string, input: Record<string, unknown>) =>
      service.handle({ operation, input, principal: OPERATOR, signal: new AbortController().signal, headers: {} }),
    /** Application, group and the alias on version 1. */
    setUp: async (over: Record<string, unknown> = {}) => {
      await handlers.application.create(request('App', { ApplicationName: 'app', ComputePlatform: 'Lambda' }));
      await handlers.group.create(request('Group', { ...group, ...over }));
      await handlers.alias.create(request('Live', { FunctionName: 'router', FunctionVersion: '1', Name: 'live' }));
    },
    group,
    /** Update of the alias to a version. The result tells how it ended without rejecting. */
    update: (version: string, hooks: Record<string, string> = {}, over: { rollback?: boolean; from?: string } = {}) => {
      const run = handlers.alias.update({
        ...request('Live', { FunctionName: 'router', FunctionVersion: version, Name: 'live' }),
        previous: { FunctionName: 'router', FunctionVersion: over.from ?? '1', Name: 'live' },
        physicalId: ALIAS_ARN,
        updatePolicy: {
          CodeDeployLambdaAliasUpdate: { ApplicationName: 'app', DeploymentGroupName: 'group', ...hooks },
        },
        rollback: over.rollback ?? false,
      });
      const state: { done: boolean; error?: string } = { done: false };
      const settled = run.then(
        () => {
          state.done = true;
        },
        (error: unknown) => {
          state.done = true;
          state.error = error instanceof Error ? error.message : String(error);
        },
      );
      return { state, settled };
    },
  };
}
