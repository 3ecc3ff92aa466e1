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

/** Applies log level, retention and removal policy of the environment to all functions, workers and log groups below the service. */
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
        // Not RETAIN: a rolled back first deployment would leave log groups that no stack owns.
        environment.removalPolicy === RemovalPolicy.RETAIN
          ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
          : environment.removalPolicy,
      );
    }
  }
}

/** @param worker settings of the worker, as part of the release */
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
      `environment variable ${LOG_LEVEL} of the worker is ${level}, and logLevel is ${environment.logLevel} in environment "${environment.name}", expected the environment alone to set it; remove the variable, or change the environment`,
    );
  }
}
