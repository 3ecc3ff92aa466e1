import { randomInt, randomUUID } from 'node:crypto';
import type { RehearsalClock } from '../../core/clock';
import { randomSuffix } from '../../core/physical-name';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import { ServiceError } from '../../core/service';

export interface SecretVersion {
  readonly id: string;
  /** A version that a rotation has just begun has none. */
  value: string | undefined;
  readonly stages: Set<string>;
  /** Cloud time. */
  readonly createdAt: number;
}

export interface Secret {
  readonly arn: string;
  readonly name: string;
  description: string | undefined;
  readonly versions: Map<string, SecretVersion>;
  readonly createdAt: number;
  /** Cloud time. */
  lastRotatedAt: number | undefined;
}

const ARN_PREFIX = `arn:aws:secretsmanager:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:secret:`;

/** Secrets with their versions and stages. */
export class SecretStore {
  readonly #clock: RehearsalClock;
  readonly #secrets = new Map<string, Secret>();

  constructor(clock: RehearsalClock) {
    this.#clock = clock;
  }

  /** @throws ServiceError ResourceExistsException if the name is taken. */
  create(name: string, value: string, description?: string, versionId?: string): Secret {
    if (this.find(name) !== undefined) {
      throw new ServiceError(
        'ResourceExistsException',
        `The operation failed because the secret ${name} already exists.`,
      );
    }
    const secret: Secret = {
      arn: `${ARN_PREFIX}${name}-${randomSuffix(6)}`,
      name,
      description,
      versions: new Map(),
      createdAt: this.#clock.now(),
      lastRotatedAt: undefined,
    };
    this.#secrets.set(secret.arn, secret);
    this.put(secret, value, versionId);
    return secret;
  }

  delete(arn: string): void {
    this.#secrets.delete(arn);
  }

  /** By name, ARN, or ARN without the six characters at its end. */
  find(id: string): Secret | undefined {
    const exact = this.#secrets.get(id);
    if (exact !== undefined) return exact;
    const name = id.startsWith(ARN_PREFIX) ? id.slice(ARN_PREFIX.length) : id;
    for (const secret of this.#secrets.values()) if (secret.name === name) return secret;
    return undefined;
  }

  /** @throws ServiceError ResourceNotFoundException */
  get(id: string): Secret {
    const secret = this.find(id);
    if (secret === undefined) {
      throw new ServiceError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
    }
    return secret;
  }

  /** What a policy must name to allow a call on the secret, whether it exists or not. */
  arnOf(id: string): string {
    return this.find(id)?.arn ?? (id.startsWith('arn:') ? id : `${ARN_PREFIX}${id}-??????`);
  }

  /**
   * Adds a version with stages. A stage leaves the version that had it; a version that loses AWSCURRENT becomes
   * AWSPREVIOUS. The same id with the same value is the same version.
   */
  put(
    secret: Secret,
    value: string,
    id: string = randomUUID(),
    stages: readonly string[] = ['AWSCURRENT'],
  ): SecretVersion {
    const existing = secret.versions.get(id);
    if (existing?.value !== undefined && existing.value !== value) {
      throw new ServiceError(
        'ResourceExistsException',
        `You can't use ClientRequestToken ${id} because that value is already in use for a version of secret ${secret.arn}.`,
      );
    }
    const version = existing ?? { id, value, stages: new Set<string>(), createdAt: this.#clock.now() };
    version.value = value;
    secret.versions.set(id, version);
    for (const stage of stages) moveStage(secret, stage, version);
    return version;
  }

  /** Labels a new, empty version AWSPENDING: how a rotation begins. The same id is the same version. */
  begin(secret: Secret, id: string): SecretVersion {
    const version = secret.versions.get(id) ?? {
      id,
      value: undefined,
      stages: new Set<string>(),
      createdAt: this.#clock.now(),
    };
    secret.versions.set(id, version);
    moveStage(secret, 'AWSPENDING', version);
    return version;
  }

  /**
   * Moves a label, puts it on a version, or takes it off one.
   * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
   *
   * @throws ServiceError for versions that do not exist, and for a label that would leave a version that was not named
   */
  label(secret: Secret, stage: string, to: string | undefined, from: string | undefined): void {
    const holder = [...secret.versions.values()].find((one) => one.stages.has(stage));
    for (const id of [to, from]) {
      if (id !== undefined && !secret.versions.has(id)) {
        throw new ServiceError('ResourceNotFoundException', `Secrets Manager can't find version ${id}.`);
      }
    }
    if (from !== undefined && holder?.id !== from) {
      throw new ServiceError(
        'InvalidParameterException',
        `The parameter RemoveFromVersionId can't be ${from}: staging label ${stage} is not currently attached to that version.`,
      );
    }
    if (to === undefined) {
      if (stage === 'AWSCURRENT') {
        throw new ServiceError('InvalidParameterException', "You can't remove AWSCURRENT: move it to another version.");
      }
      holder?.stages.delete(stage);
      return;
    }
    if (holder !== undefined && holder.id !== to && from === undefined) {
      throw new ServiceError(
        'InvalidParameterException',
        `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
      );
    }
    const version = secret.versions.get(to);
    if (version !== undefined) moveStage(secret, stage, version);
  }

  /** @throws ServiceError ResourceNotFoundException if no version has the stage or the id, or it has no value. */
  version(secret: Secret, id: string | undefined, stage: string | undefined): SecretVersion & { value: string } {
    const wanted = id === undefined ? (stage ?? 'AWSCURRENT') : stage;
    const found = [...secret.versions.values()].find(
      (one) => (id === undefined || one.id === id) && (wanted === undefined || one.stages.has(wanted)),
    );
    if (!hasValue(found)) {
      const by = id === undefined ? `staging label: ${wanted}` : `VersionId: ${id}`;
      throw new ServiceError(
        'ResourceNotFoundException',
        `Secrets Manager can't find the specified secret value for ${by}`,
      );
    }
    return found;
  }
}

function hasValue(version: SecretVersion | undefined): version is SecretVersion & { value: string } {
  return version?.value !== undefined;
}

function moveStage(secret: Secret, stage: string, to: SecretVersion): void {
  const from = [...secret.versions.values()].find((one) => one.stages.has(stage));
  if (from === to) return;
  from?.stages.delete(stage);
  to.stages.add(stage);
  if (stage === 'AWSCURRENT' && from !== undefined) moveStage(secret, 'AWSPREVIOUS', from);
}

export interface PasswordRules {
  /** @default 32 */
  readonly length?: number | undefined;
  readonly excludeCharacters?: string | undefined;
  readonly excludeLowercase?: boolean | undefined;
  readonly excludeUppercase?: boolean | undefined;
  readonly excludeNumbers?: boolean | undefined;
  readonly excludePunctuation?: boolean | undefined;
  readonly includeSpace?: boolean | undefined;
  /** @default true */
  readonly requireEachIncludedType?: boolean | undefined;
}

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html */
export function randomPassword(rules: PasswordRules): string {
  const length = rules.length ?? 32;
  const kinds = [
    rules.excludeLowercase === true ? '' : 'abcdefghijklmnopqrstuvwxyz',
    rules.excludeUppercase === true ? '' : 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
    rules.excludeNumbers === true ? '' : '0123456789',
    rules.excludePunctuation === true ? '' : '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~',
    rules.includeSpace === true ? ' ' : '',
  ]
    .map((kind) => [...kind].filter((character) => rules.excludeCharacters?.includes(character) !== true).join(''))
    .filter((kind) => kind !== '');
  const all = kinds.join('');
  if (all === '') throw new ServiceError('InvalidParameterException', 'every character is excluded from the password');
  const required = rules.requireEachIncludedType === false ? [] : kinds.map(pick);
  const characters = [...required, ...Array.from({ length: Math.max(0, length - required.length) }, () => pick(all))];
  for (let last = characters.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    [characters[last], characters[other]] = [characters[other] ?? '', characters[last] ?? ''];
  }
  return characters.slice(0, length).join('');
}

function pick(from: string): string {
  return from.charAt(randomInt(from.length));
}
