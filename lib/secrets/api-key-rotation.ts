import { Duration } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { laneError } from '../common';
import type { RotationSettings } from '../contract';
import type { ApiKeyCheck } from './api-key-check';

/** Options of `ApiKeyRotation.openAiServiceAccount`. */
export interface OpenAiServiceAccountOptions {
  /**
   * Secret whose text is an OpenAI admin key. Only the rotation function reads it.
   *
   * Admin keys can be created only in OpenAI's console, so this secret is not rotated automatically; its value may be replaced
   * at any time.
   */
  readonly adminSecret: ISecret;

  /** Project that the keys belong to, like `proj_abc123`. */
  readonly project: string;

  /**
   * Time after which OpenAI expires a key, for organizations that require it: longer than `interval` and `gracePeriod` together,
   * because a late rotation would leave the workers without a key, and at most 365 days.
   *
   * @default - keys do not expire; they are deleted when their grace period is over
   */
  readonly keyExpiry?: Duration;

  /** Base URL, with `/v1`. @default https://api.openai.com/v1 */
  readonly baseUrl?: string;
}

/** Options of `ApiKeyRotation.keyPool`. */
export interface KeyPoolOptions {
  /** Secret whose text is a JSON array of keys, in the order of their use. */
  readonly poolSecret: ISecret;

  /** How a key is checked before the workers use it. */
  readonly check: ApiKeyCheck;
}

/** Times of the secret that the strategy rotates. */
export interface ApiKeyRotationContext {
  /** Time between rotations. */
  readonly interval: Duration;
  /** How long the previous key stays valid. */
  readonly gracePeriod: Duration;
}

/** Configuration of the rotation function. */
export interface ApiKeyRotationConfig {
  /** Value of `Env.ROTATION`. */
  readonly settings: string;
  /** Secrets that the rotation function reads. */
  readonly reads: ISecret[];
  /** Whether keys come from a pool, which operators must refill. */
  readonly hasKeyPool: boolean;
  /** Rotation function that replaces the library's. @default - the library's function */
  readonly handler?: IFunction;
}

/** Source of the new keys of a secret. */
export abstract class ApiKeyRotation {
  /**
   * A new service account in an OpenAI project for each rotation. Its key is checked and becomes current; the previous service
   * account is deleted after the grace period.
   */
  static openAiServiceAccount(options: OpenAiServiceAccountOptions): ApiKeyRotation {
    return new OpenAiServiceAccount(options);
  }

  /**
   * Keys that operators created in advance, for providers without an API for it (Anthropic: keys are created in the console).
   * Each rotation uses the next key of the list; operators revoke old keys and append new ones.
   */
  static keyPool(options: KeyPoolOptions): ApiKeyRotation {
    return new KeyPool(options);
  }

  /**
   * Your own rotation function, with the four steps of Secrets Manager
   * (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html). It gets the
   * permissions for them; alarms and the age check are the same as for the other strategies.
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
    return { settings: JSON.stringify(settings), reads: [adminSecret], hasKeyPool: false };
  }
}

class KeyPool extends ApiKeyRotation {
  constructor(private readonly options: KeyPoolOptions) {
    super();
  }

  /** @internal */
  _bind(): ApiKeyRotationConfig {
    const { poolSecret, check } = this.options;
    const settings: RotationSettings = {
      strategy: 'key_pool',
      poolSecret: poolSecret.secretArn,
      check: check._settings,
    };
    return { settings: JSON.stringify(settings), reads: [poolSecret], hasKeyPool: true };
  }
}

class CustomRotation extends ApiKeyRotation {
  constructor(private readonly handler: IFunction) {
    super();
  }

  /** @internal */
  _bind(): ApiKeyRotationConfig {
    const settings: RotationSettings = { strategy: 'custom' };
    return { settings: JSON.stringify(settings), reads: [], hasKeyPool: false, handler: this.handler };
  }
}

/** ARN for a policy: a pattern completes the ARN of a secret that was imported without its random suffix. */
export function policyArn(secret: ISecret): string {
  return secret.secretFullArn ?? `${secret.secretArn}-??????`;
}

/** Grants the actions on this secret only. */
export function grantOnSecret(secret: ISecret, grantee: IGrantable, actions: string[]): Grant {
  return Grant.addToPrincipal({ grantee, actions, resourceArns: [policyArn(secret)] });
}
