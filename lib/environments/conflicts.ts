import type { Construct } from 'constructs';
import { laneError } from '../common';
import type { Behavior } from '../release';
import { resolveModelPolicy } from '../release/model-policy';
import type { AgentEnvironment } from './agent-environment';
import { differencesOf, type Profile, profileOf } from './profile';

/**
 * Refuses a service that says other than its environment: two places that tell one thing would be two truths. What the
 * environment says nothing of is the service's.
 *
 * @param says what the service was given of what environments say; undefined: nothing
 */
export function checkServiceAgrees(
  scope: Construct,
  environment: AgentEnvironment,
  says: Readonly<Record<string, unknown>>,
): void {
  const environments = [...environment._profile()];
  for (const [name, value] of Object.entries(says)) {
    // The environment's names are the last parts of the service's: logRetention of intake.logRetention.
    const theirs = name.slice(name.lastIndexOf('.') + 1);
    const there = environments.filter(([each]) => each === theirs || each.startsWith(`${theirs}.`));
    if (value === undefined || there.length === 0) {
      continue;
    }
    const [difference] = differencesOf(profileOf(theirs, value), new Map(there));
    if (difference !== undefined) {
      const [here, says] = difference.values;
      throw laneError(
        scope,
        'ConflictingEnvironment',
        `${name} of the service: ${difference.name} is ${here} there, and ${says} in environment "${environment.name}": expected one place to say it; leave it out of the service, or change the environment`,
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
        ({ name, values: [behaves, says] }) => `${name} is ${behaves} in the behavior and ${says} in the environment`,
      )
      .join('; ');
    throw laneError(
      scope,
      'ConflictingEnvironment',
      `behavior of ${behavior.directory} is not that of environment "${environment.name}": ${list}; expected one place to say it; make the behavior with environment.behavior('${behavior.directory}'), or change the environment`,
    );
  }
}

function chain(parts: Readonly<Record<string, unknown>>): Profile {
  return new Map(Object.entries(parts).flatMap(([name, value]) => [...profileOf(name, value)]));
}
