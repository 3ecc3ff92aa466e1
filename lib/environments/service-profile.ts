import type { Release } from '../release';
import { SERVICE } from './acceptance';
import { type Profile, profileOf } from './profile';

/**
 * Settings that are data, users or addresses, so staging may differ without an acceptance: secrets (their names must be the
 * same), stores, keys, callers and producers, hosts of webhooks, alarm topics. The settings of the environments are
 * compared elsewhere.
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

/** Digest of the tools of the release. */
export const TOOLS_OF_RELEASE = `${SERVICE}.release.tools`;

/** Users that get the variant of a flag by name: staging has its own users. */
const USERS_OF_FLAG = new RegExp(`^${SERVICE}\\.flags\\.[^.]+\\.(.+\\.)?users$`);

/** Components of a release that an environment defines: they differ if, and only if, the environments do. */
const ENVIRONMENT_COMPONENTS = new Set(['model', 'limits', 'worker']);

/** What decides how a service differs from another. */
export interface ServiceSettings {
  /** Props of the service, with all gates and flags that were added later. */
  readonly props: object;
  /** Release in the template. */
  readonly release: Release;
  /** Settings of the worker: those of the release, and how it is run. */
  readonly worker: { readonly [name: string]: string };
  /** Names under which the agent reads secrets. */
  readonly secretNames: readonly string[];
}

/** Settings of a service that must be equal in staging and production, by dotted names that begin with `service`. */
export function serviceProfileOf({ props, release, worker, secretNames }: ServiceSettings): Profile {
  const components = Object.entries(release.componentDigests).filter(([name]) => !ENVIRONMENT_COMPONENTS.has(name));
  const isPerStage = (name: string) =>
    USERS_OF_FLAG.test(name) || PER_STAGE_SETTINGS.some((own) => isWithin(name, own));
  return new Map([
    ...[...profileOf(SERVICE, props)].filter(([name]) => !isPerStage(name)),
    ...components.map(([name, digest]) => [`${SERVICE}.release.${name}`, digest.slice(0, 12)] as const),
    ...profileOf(`${SERVICE}.worker`, worker),
    ...profileOf(`${SERVICE}.secrets`, [...secretNames].sort()),
  ]);
}

function isWithin(name: string, branch: string): boolean {
  return name === branch || name.startsWith(`${branch}.`);
}
