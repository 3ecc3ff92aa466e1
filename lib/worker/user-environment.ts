import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { laneError } from '../common';

/** Prefix of the environment variables that are the library's. */
const RESERVED_PREFIX = 'AGENT_LANES_';

/** @throws LaneError for a variable that is the library's, or whose name Lambda would refuse: an agent is to run on either */
export function checkUserEnvironment(scope: IConstruct, environment: { readonly [name: string]: string }): void {
  for (const name of Object.keys(environment)) {
    if (name.startsWith(RESERVED_PREFIX)) {
      throw laneError(
        scope,
        'ReservedEnvironmentVariable',
        `environment variable ${name} is set: expected no name that begins with ${RESERVED_PREFIX}, for these are the library's; choose another name`,
      );
    }
    if (Token.isUnresolved(name) || !/^[A-Za-z][A-Za-z0-9_]+$/.test(name)) {
      throw laneError(
        scope,
        'InvalidEnvironmentVariable',
        `environment variable "${name}" has a name that a worker cannot have: expected a letter, then one or more letters, digits or underscores; rename it`,
      );
    }
  }
}

/**
 * Variables as the release sees them. The values of a resource of the stack (a table's name, say) are decided at
 * deployment: they take part by the variable's name.
 */
export function describeUserEnvironment(environment: { readonly [name: string]: string }): { [name: string]: string } {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) =>
      Token.isUnresolved(value) ? [`environment-at-deployment.${name}`, ''] : [`environment.${name}`, value],
    ),
  );
}
