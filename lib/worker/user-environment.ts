import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { laneError } from '../common';

/** Prefix of the library's own environment variables. */
const RESERVED_PREFIX = 'AGENT_LANES_';

/** @throws LaneError for a reserved name, or a name that Lambda refuses: an agent must run on Lambda and on Fargate */
export function checkUserEnvironment(scope: IConstruct, environment: { readonly [name: string]: string }): void {
  for (const name of Object.keys(environment)) {
    if (name.startsWith(RESERVED_PREFIX)) {
      throw laneError(
        scope,
        'ReservedEnvironmentVariable',
        `environment variable ${name} is set: names that begin with ${RESERVED_PREFIX} are reserved; choose another name`,
      );
    }
    if (Token.isUnresolved(name) || !/^[A-Za-z][A-Za-z0-9_]+$/.test(name)) {
      throw laneError(
        scope,
        'InvalidEnvironmentVariable',
        `environment variable must have a name of a letter, then one or more letters, digits or underscores, got "${name}"; rename it`,
      );
    }
  }
}

/**
 * Variables as part of the release. A value that is known only at deployment, like the name of a table of the stack, is
 * represented by the variable's name.
 */
export function describeUserEnvironment(environment: { readonly [name: string]: string }): { [name: string]: string } {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) =>
      Token.isUnresolved(value) ? [`environment-at-deployment.${name}`, ''] : [`environment.${name}`, value],
    ),
  );
}
