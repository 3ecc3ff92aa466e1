import { RemovalPolicy } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { laneError } from '../common';
import { ContainerName } from '../contract';
import type { AgentEnvironment } from './agent-environment';

/** Read by the logger of every function (https://docs.aws.amazon.com/powertools/typescript/latest/features/logger/). */
const LOG_LEVEL = 'POWERTOOLS_LOG_LEVEL';

/** Gives all functions, containers of workers and log groups below the service the level, the retention and the end that the environment says. */
export function applyLogging(service: Construct, environment: AgentEnvironment): void {
  for (const child of service.node.findAll()) {
    if (child instanceof lambda.Function) {
      child.addEnvironment(LOG_LEVEL, environment.logLevel);
    }
    if (child instanceof ecs.ContainerDefinition && child.containerName === ContainerName.WORKER) {
      child.addEnvironment(LOG_LEVEL, environment.logLevel);
    }
    if (logs.CfnLogGroup.isCfnLogGroup(child)) {
      if (environment.logRetention === logs.RetentionDays.INFINITE) {
        child.addDeletionOverride('Properties.RetentionInDays');
      } else {
        child.retentionInDays = environment.logRetention;
      }
      child.applyRemovalPolicy(
        // Not RETAIN: the first deployment, put back, would leave log groups behind that no stack knows.
        environment.removalPolicy === RemovalPolicy.RETAIN
          ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
          : environment.removalPolicy,
      );
    }
  }
}

/** @param worker settings of the worker, as the release sees them */
export function checkLogLevelAgrees(
  scope: Construct,
  environment: AgentEnvironment,
  worker: { readonly [name: string]: string },
): void {
  const level = worker[`environment.${LOG_LEVEL}`];
  if (level !== undefined && level !== environment.logLevel) {
    throw laneError(
      scope,
      'ConflictingEnvironment',
      `environment variable ${LOG_LEVEL} of the worker is ${level}, and logLevel is ${environment.logLevel} in environment "${environment.name}": expected one place to say it; take the variable out, or change the environment`,
    );
  }
}
