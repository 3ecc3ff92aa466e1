import type { Construct } from 'constructs';
import { laneError } from '../common';
import type { Behavior } from '../release';
import { resolveModelPolicy } from '../release/model-policy';
import type { AgentEnvironment } from './agent-environment';
import { differencesOf, type Profile, profileOf } from './profile';

/**
 * Refuses a service that contradicts its environment. The service decides about settings that the environment leaves open.
 *
 * @param given settings of the service that environments also have; undefined: left out
 */
export function checkServiceAgrees(
  scope: Construct,
  environment: AgentEnvironment,
  given: Readonly<Record<string, unknown>>,
): void {
  const environments = [...environment._profile()];
  for (const [name, value] of Object.entries(given)) {
    // The environment's names are the last parts of the service's: logRetention of intake.logRetention.
    const theirs = name.slice(name.lastIndexOf('.') + 1);
    const there = environments.filter(([each]) => each === theirs || each.startsWith(`${theirs}.`));
    if (value === undefined || there.length === 0) {
      continue;
    }
    const [difference] = differencesOf(profileOf(theirs, value), new Map(there));
    if (difference !== undefined) {
      const [ofService, ofEnvironment] = difference.values;
      throw laneError(
        scope,
        'ConflictingEnvironment',
        `${name} of the service: ${difference.name} is ${ofService} in the service and ${ofEnvironment} in environment "${environment.name}", expected the environment alone to set it; remove it from the service, or change the environment`,
      );
    }
  }
}

/** Refuses a behavior with another model, other limits or other tools than those of the environment. */
export function checkBehaviorAgrees(scope: Construct, environment: AgentEnvironment, behavior: Behavior): void {
  const allowed = behavior.toolNames.filter((name) => environment.tools?.includes(name) ?? true);
  const there = chain({
    model: environment.model._settings,
    fallbacks: environment.fallbacks.map((each) => each._settings),
    modelPolicy: resolveModelPolicy(environment.modelPolicy),
    limits: environment.limits,
    tools: allowed,
    sandboxedTools:
      environment.liveTools === undefined ? [] : allowed.filter((name) => !environment.liveTools?.includes(name)),
  });
  const here = chain({
    model: behavior.model._settings,
    fallbacks: behavior.fallbacks.map((each) => each._settings),
    modelPolicy: behavior._modelPolicy,
    limits: behavior.limits,
    tools: behavior.toolNames,
    sandboxedTools: behavior.sandboxedTools,
  });
  const differences = differencesOf(here, there);
  if (differences.length > 0) {
    const list = differences
      .map(
        ({ name, values: [ofBehavior, ofEnvironment] }) =>
          `${name} is ${ofBehavior} in the behavior and ${ofEnvironment} in the environment`,
      )
      .join('; ');
    throw laneError(
      scope,
      'ConflictingEnvironment',
      `the behavior of ${behavior.directory} contradicts environment "${environment.name}": ${list}; expected the environment alone to set it: create the behavior with environment.behavior('${behavior.directory}'), or change the environment`,
    );
  }
}

function chain(parts: Readonly<Record<string, unknown>>): Profile {
  return new Map(Object.entries(parts).flatMap(([name, value]) => [...profileOf(name, value)]));
}
