import { Duration } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { laneError } from '../common';
import type { RotationSettings } from '../contract';
import type { ApiKeyCheck } from './api-key-check';

export interface OpenAiServiceAccountOptions {
  /**
   * Secret whose text is an OpenAI admin key. The rotation function alone reads it; workers never do.
   *
   * OpenAI lets nobody but a person make admin keys, so this one is not rotated by itself: a new value may be put in at
   * any time.
   */
  readonly adminSecret: ISecret;

  /** Project that the keys belong to, like `proj_abc123`. */
  readonly project: string;

  /**
   * Lets each key expire by itself, for organizations that ask for it: longer than `interval` and `gracePeriod` together, or
   * a late rotation leaves the workers without a key. At most 365 days.
   *
   * @default - keys do not expire; they are deleted when their grace period is over
   */
  readonly keyExpiry?: Duration;

  /** Endpoint with `/v1`. @default https://api.openai.com/v1 */
  readonly baseUrl?: string;
}

export interface KeyPoolOptions {
  /** Secret whose text is a JSON array of keys, in the order in which they are to be used. */
  readonly poolSecret: ISecret;

  /** How a key is tried before the workers get it. */
  readonly test: ApiKeyCheck;
}

/** What a strategy is built into. */
export interface ApiKeyRotationContext {
  readonly interval: Duration;
  readonly gracePeriod: Duration;
}

/** What a strategy comes to. */
export interface ApiKeyRotationConfig {
  /** JSON for the rotation function. */
  readonly settings: string;
  /** Secrets that the rotation function reads. */
  readonly reads: ISecret[];
  /** Whether keys run out unless people add some. */
  readonly runsDry: boolean;
  /** Rotates in place of the library's function. @default - the library's own */
  readonly handler?: IFunction;
}

/** Where the new keys of a secret come from. */
export abstract class ApiKeyRotation {
  /**
   * A new service account in an OpenAI project for each rotation. Its key is tried and becomes current; the service
   * account before it is deleted when the grace period is over.
   */
  static openAiServiceAccount(options: OpenAiServiceAccountOptions): ApiKeyRotation {
    return new OpenAiServiceAccount(options);
  }

  /**
   * Keys that people made in advance, for providers that let no program make any (Anthropic: keys are made in the
   * console). Each rotation takes the next one of the list; people revoke the old ones and add new ones at the end.
   */
  static keyPool(options: KeyPoolOptions): ApiKeyRotation {
    return new KeyPool(options);
  }

  /**
   * A rotation function of your own, with the four steps that Secrets Manager asks for
   * (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html). It gets the
   * permission for them; alarms and the watch over the secret's age are made as for the others.
   */
  static custom(handler: IFunction): ApiKeyRotation {
    return new CustomRotation(handler);
  }

  /** Checks the options. @internal */
  abstract _bind(scope: Construct, context: ApiKeyRotationContext): ApiKeyRotationConfig;
}

const MAX_EXPIRY = Duration.days(365);

class OpenAiServiceAccount extends ApiKeyRotation {
  constructor(private readonly options: OpenAiServiceAccountOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, { interval, gracePeriod }: ApiKeyRotationContext): ApiKeyRotationConfig {
    const { adminSecret, baseUrl, keyExpiry, project } = this.options;
    if (project.trim() === '') {
      throw laneError(
        scope,
        'InvalidOpenAiProject',
        `rotation: project must be the id of an OpenAI project like 'proj_abc123', got '${project}'; see the settings of the project`,
      );
    }
    if (keyExpiry !== undefined) {
      const min = interval.toSeconds() + gracePeriod.toSeconds();
      const seconds = keyExpiry.toSeconds();
      if (!(seconds > min && seconds <= MAX_EXPIRY.toSeconds())) {
        throw laneError(
          scope,
          'InvalidKeyExpiry',
          `rotation: keyExpiry must be longer than interval and gracePeriod together (${Duration.seconds(min).toHumanString()}) and at most ${MAX_EXPIRY.toHumanString()}, got ${keyExpiry.toHumanString()}; rotate more often, or remove it`,
        );
      }
    }
    const settings: RotationSettings = {
      strategy: 'openai_service_account',
      adminSecret: adminSecret.secretArn,
      project,
      graceSeconds: gracePeriod.toSeconds(),
      baseUrl,
      ...(keyExpiry === undefined ? {} : { keyExpirySeconds: keyExpiry.toSeconds() }),
    };
    return { settings: JSON.stringify(settings), reads: [adminSecret], runsDry: false };
  }
}

class KeyPool extends ApiKeyRotation {
  constructor(private readonly options: KeyPoolOptions) {
    super();
  }

  /** @internal */
  _bind(): ApiKeyRotationConfig {
    const { poolSecret, test } = this.options;
    const settings: RotationSettings = {
      strategy: 'key_pool',
      poolSecret: poolSecret.secretArn,
      test: test._settings,
    };
    return { settings: JSON.stringify(settings), reads: [poolSecret], runsDry: true };
  }
}

class CustomRotation extends ApiKeyRotation {
  constructor(private readonly handler: IFunction) {
    super();
  }

  /** @internal */
  _bind(): ApiKeyRotationConfig {
    const settings: RotationSettings = { strategy: 'custom' };
    return { settings: JSON.stringify(settings), reads: [], runsDry: false, handler: this.handler };
  }
}

/** ARN for a policy: one that was imported without its random end is completed by a pattern. */
export function policyArn(secret: ISecret): string {
  return secret.secretFullArn ?? `${secret.secretArn}-??????`;
}

/** Lets the grantee do this with the secret and no other. */
export function grantOnSecret(secret: ISecret, grantee: IGrantable, actions: string[]): Grant {
  return Grant.addToPrincipal({ grantee, actions, resourceArns: [policyArn(secret)] });
}
