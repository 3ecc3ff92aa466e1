import { Duration, Size, Token } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { DAY_MS } from '../contract';

/** Settings by their dotted names, as text: two equal configurations have equal profiles. */
export type Profile = ReadonlyMap<string, string>;

/** A service of an environment with its settings. */
export interface StagedService {
  readonly construct: Construct;
  /** At synth: gates and flags may be added after the service was created. */
  readonly profile: () => Profile;
}

/** One setting that two profiles do not share. */
export interface Difference {
  readonly name: string;
  readonly values: readonly [string, string];
}

/** No setting is deeper: a guard against objects that reference each other. */
const MAX_DEPTH = 8;

/**
 * Splits a value into its settings. Tokens and constructs have no value at synth: only their presence is compared.
 * Functions are ignored.
 *
 * @param name of the value
 */
export function profileOf(name: string, value: unknown): Profile {
  const profile = new Map<string, string>();
  addSettings(profile, name, value, 0);
  return profile;
}

/** Names of what differs, in order. */
export function differencesOf(first: Profile, second: Profile): Difference[] {
  return [...new Set([...first.keys(), ...second.keys()])]
    .sort()
    .filter((name) => first.get(name) !== second.get(name))
    .map((name) => ({ name, values: [first.get(name) ?? 'not set', second.get(name) ?? 'not set'] }));
}

function addSettings(profile: Map<string, string>, name: string, value: unknown, depth: number): void {
  if (value === undefined || typeof value === 'function') {
    return;
  }
  if (typeof value !== 'object' || value === null) {
    profile.set(name, Token.isUnresolved(value) ? 'known at deployment' : textOf(value));
  } else if (value instanceof Duration) {
    profile.set(name, value.isUnresolved() ? 'known at deployment' : durationText(value.toMilliseconds()));
  } else if (value instanceof Size) {
    profile.set(name, value.isUnresolved() ? 'known at deployment' : `${value.toMebibytes({ rounding: 1 })} MiB`);
  } else if (Construct.isConstruct(value) || Token.isUnresolved(value) || 'toMetricConfig' in value) {
    profile.set(name, 'given');
  } else if (Array.isArray(value) && value.every((each) => typeof each !== 'object')) {
    profile.set(name, `[${value.map(textOf).join(', ')}]`);
  } else if (depth < MAX_DEPTH) {
    // The class matters for strategies, and not for plain objects and lists.
    const kind = value.constructor?.name ?? 'Object';
    if (kind !== 'Object' && kind !== 'Array') {
      profile.set(`${name}.kind`, kind);
    }
    for (const [key, member] of Object.entries(value)) {
      // The options of a strategy, under the names that its user wrote.
      const own = key === 'props' || key === 'options';
      addSettings(profile, own ? name : `${name}.${key}`, member, depth + 1);
    }
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : String(value);
}

function durationText(milliseconds: number): string {
  if (milliseconds > 0 && milliseconds % DAY_MS === 0) {
    const days = milliseconds / DAY_MS;
    return days === 1 ? '1 day' : `${days} days`;
  }
  return milliseconds % 1_000 === 0 ? `${milliseconds / 1_000} s` : `${milliseconds} ms`;
}
