import type { Release } from '../release';
import { SERVICE } from './acceptance';
import { type Profile, profileOf } from './profile';

/**
 * Where staging may differ in peace, being data, users, or the place where the agent is found: secrets (their names must be
 * the same), stores, keys, callers and producers, the hosts that hear of tasks, who is told of alarms. What an environment
 * itself says it has compared already.
 */
const PER_STAGE_SETTINGS = [
  'agentName',
  'behavior',
  'encryptionKey',
  'environment',
  'intake.auth',
  'intake.inbox',
  'logRetention',
  'removalPolicy',
  'secrets',
  'store',
  'taskRetention',
  'topic',
  'webhooks.privateHosts',
  'webhooks.secret',
  'worker',
].map((name) => `${SERVICE}.${name}`);

/** Digest of the tools that the release holds. */
export const TOOLS_OF_RELEASE = `${SERVICE}.release.tools`;

/** Users who get the variant of a flag by their names: staging has users of its own. */
const USERS_OF_FLAG = new RegExp(`^${SERVICE}\\.flags\\.[^.]+\\.(.+\\.)?users$`);

/** Components of a release that an environment decides: these differ if, and only if, the environments do. */
const ENVIRONMENT_COMPONENTS = new Set(['model', 'limits', 'worker']);

export interface ServiceSettings {
  /** As the service was given them. */
  readonly props: object;
  readonly release: Release;
  /** Of the worker: what the release sees of it, and how it is run. */
  readonly worker: { readonly [name: string]: string };
  readonly secretNames: readonly string[];
}

/** What of a service must be the same in staging and in production, by dotted names that begin with `service`. */
export function serviceProfileOf({ props, release, worker, secretNames }: ServiceSettings): Profile {
  const components = Object.entries(release.componentDigests).filter(([name]) => !ENVIRONMENT_COMPONENTS.has(name));
  const ownToEach = (name: string) => USERS_OF_FLAG.test(name) || PER_STAGE_SETTINGS.some((own) => isWithin(name, own));
  return new Map([
    ...[...profileOf(SERVICE, props)].filter(([name]) => !ownToEach(name)),
    ...components.map(([name, digest]) => [`${SERVICE}.release.${name}`, digest.slice(0, 12)] as const),
    ...profileOf(`${SERVICE}.worker`, worker),
    ...profileOf(`${SERVICE}.secrets`, [...secretNames].sort()),
  ]);
}

function isWithin(name: string, branch: string): boolean {
  return name === branch || name.startsWith(`${branch}.`);
}
