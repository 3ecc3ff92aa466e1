import { isDeepStrictEqual } from 'node:util';
import type { AliasView } from '../../core/ports';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import { ServiceError } from '../../core/service';
import type { FunctionCode } from './code-store';
import type { InvocationOutcome } from './execution-environment';

/** Name of a qualifier that means the unpublished version. */
export const LATEST = '$LATEST';

export function functionArn(name: string, qualifier?: string): string {
  const arn = `arn:aws:lambda:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:function:${name}`;
  return qualifier === undefined ? arn : `${arn}:${qualifier}`;
}

export interface FunctionReference {
  readonly name: string;
  /** Version or alias; absent when the reference is unqualified. */
  readonly qualifier?: string;
}

const REFERENCE =
  /^(?:(?:arn:[^:]+:lambda:[^:]*:)?(?:\d{12}:)?function:|\d{12}:(?!function:))?([A-Za-z0-9_-]+)(?::(\$LATEST|[A-Za-z0-9_-]+))?$/;

/**
 * Reads a name, a partial ARN or an ARN, qualified or not; undefined for anything else.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export function parseFunction(text: string, qualifier?: string): FunctionReference | undefined {
  const [, name, own] = REFERENCE.exec(text) ?? [];
  if (name === undefined) {
    return undefined;
  }
  const chosen = qualifier ?? own;
  return chosen === undefined ? { name } : { name, qualifier: chosen };
}

/** Settings of a version: everything that publishing freezes. */
export interface FunctionSettings {
  readonly code: FunctionCode;
  readonly handler: string;
  readonly runtime: string;
  readonly roleArn: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  readonly architecture: string;
  readonly logGroup: string;
  readonly logFormat: 'Text' | 'JSON';
  readonly logLevel: string | undefined;
  readonly tracing: 'Active' | 'PassThrough';
  readonly ephemeralStorageMiB: number;
  readonly deadLetterArn: string | undefined;
}

/** A version with its settings. A change of the function makes a new object: environments belong to one of them. */
export interface FunctionVersion {
  readonly functionName: string;
  /** `$LATEST` or a number. */
  readonly version: string;
  readonly settings: FunctionSettings;
  readonly description: string;
  /** Cloud milliseconds since 1970. */
  readonly lastModified: number;
}

interface FunctionState {
  readonly name: string;
  latest: FunctionVersion;
  readonly versions: Map<string, FunctionVersion>;
  readonly aliases: Map<string, AliasView>;
  nextVersion: number;
  reservedConcurrency: number | undefined;
}

/** What an invocation of a qualifier runs. */
export interface ResolvedFunction {
  readonly version: FunctionVersion;
  /** ARN as invoked. */
  readonly arn: string;
  readonly alias: string | undefined;
}

/** One run of a function, after the checks of the Invoke API. */
export interface FunctionRun {
  readonly name: string;
  readonly qualifier: string | undefined;
  /** JSON text. */
  readonly payload: string;
  readonly traceHeader: string | undefined;
  /** Of an earlier attempt of the same asynchronous invocation. @default a new one */
  readonly requestId?: string;
  /** Id of the event source mapping that runs it. */
  readonly source?: string;
  readonly onStart?: () => void;
  /** Called when its process was suspended for longer than a caller should wait. */
  readonly onSuspended?: () => void;
}

export type FunctionRunResult =
  | { readonly kind: 'throttled' }
  | { readonly kind: 'ran'; readonly outcome: InvocationOutcome; readonly version: string; readonly requestId: string };

/**
 * Functions with their versions and aliases.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html
 */
export class Functions {
  /** Random number from 0 to 1: decides which version an alias with weights runs. */
  readonly #random: () => number;
  /** Called for a version that was replaced or deleted: its environments get no more work. */
  readonly #onRetired: (version: FunctionVersion) => void;
  readonly #byName = new Map<string, FunctionState>();

  constructor(random: () => number, retired: (version: FunctionVersion) => void) {
    this.#random = random;
    this.#onRetired = retired;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  hasVersion(name: string, version: string): boolean {
    return this.#byName.get(name)?.versions.has(version) === true;
  }

  create(name: string, settings: FunctionSettings, description: string, now: number): void {
    const latest = { functionName: name, version: LATEST, settings, description, lastModified: now };
    this.#byName.set(name, {
      name,
      latest,
      versions: new Map(),
      aliases: new Map(),
      nextVersion: 1,
      reservedConcurrency: undefined,
    });
  }

  update(name: string, settings: FunctionSettings, description: string, now: number): void {
    const state = this.#state(name);
    const { latest } = state;
    if (isDeepStrictEqual(latest.settings, settings) && latest.description === description) {
      return;
    }
    state.latest = { functionName: name, version: LATEST, settings, description, lastModified: now };
    this.#onRetired(latest);
  }

  delete(name: string): void {
    const state = this.#byName.get(name);
    if (state !== undefined) {
      this.#byName.delete(name);
      for (const version of [state.latest, ...state.versions.values()]) {
        this.#onRetired(version);
      }
    }
  }

  reserve(name: string, concurrency: number | undefined): void {
    this.#state(name).reservedConcurrency = concurrency;
  }

  reserved(name: string): number | undefined {
    return this.#byName.get(name)?.reservedConcurrency;
  }

  /**
   * Freezes `$LATEST`. Nothing is published when neither code nor settings differ from the version published last: that
   * version is given instead, with `existed`.
   *
   * @see https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
   */
  publish(
    name: string,
    description: string,
    now: number,
  ): { readonly version: FunctionVersion; readonly existed: boolean } {
    const state = this.#state(name);
    const last = [...state.versions.values()].at(-1);
    if (last !== undefined && isDeepStrictEqual(last.settings, state.latest.settings)) {
      return { version: last, existed: true };
    }
    const version: FunctionVersion = {
      functionName: name,
      version: String(state.nextVersion),
      settings: state.latest.settings,
      description: description === '' ? state.latest.description : description,
      lastModified: now,
    };
    state.nextVersion += 1;
    state.versions.set(version.version, version);
    return { version, existed: false };
  }

  /** @throws ServiceError ResourceConflictException while an alias points to it */
  deleteVersion(name: string, version: string): void {
    const state = this.#byName.get(name);
    const found = state?.versions.get(version);
    if (state === undefined || found === undefined) {
      return;
    }
    const holders = [...state.aliases.values()].filter(
      (alias) => alias.version === version || version in alias.weights,
    );
    if (holders.length > 0) {
      const names = holders.map((alias) => alias.name).join(', ');
      throw new ServiceError(
        'ResourceConflictException',
        `Unable to delete version because the following aliases reference it: [${names}]`,
        409,
      );
    }
    state.versions.delete(version);
    this.#onRetired(found);
  }

  alias(name: string, alias: string): AliasView | undefined {
    return this.#byName.get(name)?.aliases.get(alias);
  }

  aliases(name: string): readonly AliasView[] {
    return [...this.#state(name).aliases.values()];
  }

  versions(name: string): readonly FunctionVersion[] {
    const state = this.#state(name);
    return [state.latest, ...state.versions.values()];
  }

  /** @throws ServiceError as UpdateAlias would, for missing versions or weights out of range */
  putAlias(alias: AliasView): { readonly arn: string } {
    const state = this.#state(alias.functionName);
    for (const version of [alias.version, ...Object.keys(alias.weights)]) {
      if (version !== LATEST && !state.versions.has(version)) {
        throw new ServiceError(
          'ResourceNotFoundException',
          `Function not found: ${functionArn(state.name, version)}`,
          404,
        );
      }
    }
    const weights = Object.entries(alias.weights);
    if (
      weights.length > 1 ||
      weights.some(([version, weight]) => !(weight >= 0 && weight <= 1) || version === alias.version)
    ) {
      throw new ServiceError(
        'InvalidParameterValueException',
        `alias ${alias.name}: got weights ${JSON.stringify(alias.weights)} beside version ${alias.version}, expected at most one other version with a weight from 0 to 1`,
      );
    }
    if (weights.length > 0) {
      this.#checkShift(state, alias);
    }
    state.aliases.set(alias.name, { ...alias, weights: { ...alias.weights } });
    return { arn: functionArn(state.name, alias.name) };
  }

  deleteAlias(name: string, alias: string): void {
    this.#byName.get(name)?.aliases.delete(alias);
  }

  /** @throws ServiceError ResourceNotFoundException */
  resolve(name: string, qualifier: string | undefined): ResolvedFunction {
    const state = this.#byName.get(name);
    const arn = functionArn(name, qualifier);
    const alias = qualifier === undefined ? undefined : state?.aliases.get(qualifier);
    const version = alias === undefined ? (qualifier ?? LATEST) : this.#chooseVersion(alias);
    const found = version === LATEST ? state?.latest : state?.versions.get(version);
    if (found === undefined) {
      throw new ServiceError('ResourceNotFoundException', `Function not found: ${arn}`, 404, { Type: 'User' });
    }
    return { version: found, arn, alias: alias?.name };
  }

  #chooseVersion(alias: AliasView): string {
    let point = this.#random();
    for (const [version, weight] of Object.entries(alias.weights)) {
      if (point < weight) {
        return version;
      }
      point -= weight;
    }
    return alias.version;
  }

  /** Both versions of a shift must have the same role and the same dead-letter queue, and be published. */
  #checkShift(state: FunctionState, alias: AliasView): void {
    const settings = [alias.version, ...Object.keys(alias.weights)].map(
      (version) => state.versions.get(version)?.settings,
    );
    const [first] = settings;
    for (const other of settings) {
      if (
        first === undefined ||
        other === undefined ||
        first.roleArn !== other.roleArn ||
        first.deadLetterArn !== other.deadLetterArn
      ) {
        throw new ServiceError(
          'InvalidParameterValueException',
          `alias ${alias.name}: versions ${alias.version} and ${Object.keys(alias.weights).join(', ')} must be published and have the same execution role and dead-letter queue`,
        );
      }
    }
  }

  #state(name: string): FunctionState {
    const state = this.#byName.get(name);
    if (state === undefined) {
      throw new ServiceError('ResourceNotFoundException', `Function not found: ${functionArn(name)}`, 404, {
        Type: 'User',
      });
    }
    return state;
  }
}
