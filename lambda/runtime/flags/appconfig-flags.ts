import type { AppConfigDataClient } from '@aws-sdk/client-appconfigdata';
import * as z from 'zod';
import {
  type FlagSettings,
  type FlagsDocument,
  type FlagValue,
  flagsDocumentSchema,
  flagValueFor,
  RuntimeErrorCode,
} from '../../../lib/contract';
import { errorName } from '../../shared/aws/aws-errors';
import { clientDefaults } from '../../shared/aws/clients/defaults';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import { parseJson } from '../../shared/json';
import type { Log } from '../../shared/telemetry/logger';
import { FatalError } from '../errors';

/** Poll interval in seconds: the shortest that AppConfig allows for a session. */
const POLL_SECONDS = 15;

/** Maximum random extension of the poll interval: workers that started together must not poll together. */
const JITTER = 0.2;

/** A task waits for this call but does not depend on it: short timeouts, in milliseconds. */
const TIMEOUTS = { connectionTimeout: 500, requestTimeout: 1_000, maxAttempts: 2 } as const;

export interface AppConfigFlagsDeps {
  readonly settings: FlagSettings;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly logger: Log;
}

/**
 * The flags of one execution environment, from AppConfig. All tasks share one poll, made when a task reads a flag and the poll
 * interval is over. A failed poll delays the tasks by a second and has no other effect: the last document applies, whatever its
 * age, and before the first one the defaults apply.
 *
 * Each token of a session is valid for one call and for one day
 * (https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_appconfigdata_GetLatestConfiguration.html).
 */
export class AppConfigFlags {
  readonly #deps: AppConfigFlagsDeps;
  #client: Promise<AppConfigDataClient> | undefined;
  #token: string | undefined;
  #document: FlagsDocument | undefined;
  /** Cloud time of the next poll. */
  #nextAt = Number.NEGATIVE_INFINITY;
  #polling: Promise<void> | undefined;

  constructor(deps: AppConfigFlagsDeps) {
    this.#deps = deps;
  }

  get names(): readonly string[] {
    return Object.keys(this.#deps.settings.defaults);
  }

  async value(name: string, user: string): Promise<FlagValue> {
    const { defaults } = this.#deps.settings;
    const fallback = Object.hasOwn(defaults, name) ? defaults[name] : undefined;
    if (fallback === undefined) {
      throw new FatalError(`the service has no flag "${name}"`, { code: RuntimeErrorCode.FLAG_UNKNOWN });
    }
    await this.#refresh();
    const document = this.#document;
    const flag = document !== undefined && Object.hasOwn(document, name) ? document[name] : undefined;
    const value = flag === undefined ? fallback : flagValueFor(name, flag, user);
    // The document may be newer than the release: a value of another type is replaced by the default.
    return typeof value === typeof fallback ? value : fallback;
  }

  async #refresh(): Promise<void> {
    if (this.#deps.clock.now() < this.#nextAt) {
      return;
    }
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = undefined;
    });
    await this.#polling;
  }

  async #poll(): Promise<void> {
    const { clock, logger } = this.#deps;
    let seconds = POLL_SECONDS;
    try {
      seconds = Math.max(POLL_SECONDS, await this.#fetch());
    } catch (error) {
      this.#token = undefined;
      logger.warn(
        this.#document === undefined
          ? 'the flags could not be read; their defaults apply'
          : 'the flags could not be refreshed; the last values apply',
        { component: 'flags', outcome: 'error', reason: messageOf(error) },
      );
    }
    this.#nextAt = clock.now() + seconds * 1000 * (1 + JITTER * this.#deps.random());
  }

  /** @returns seconds until the next allowed poll */
  async #fetch(): Promise<number> {
    const { GetLatestConfigurationCommand } = await import('@aws-sdk/client-appconfigdata');
    const client = await this.#getClient();
    const fetchLatest = async (ConfigurationToken: string) =>
      client.send(new GetLatestConfigurationCommand({ ConfigurationToken }));
    const lastToken = this.#token;
    // A token is used up by the call, even by a failed one.
    this.#token = undefined;
    let response: Awaited<ReturnType<typeof fetchLatest>>;
    try {
      response = await fetchLatest(lastToken ?? (await this.#startSession(client)));
    } catch (error) {
      // The session may have expired while the environment was frozen.
      if (lastToken === undefined || errorName(error) !== 'BadRequestException') {
        throw error;
      }
      response = await fetchLatest(await this.#startSession(client));
    }
    this.#token = response.NextPollConfigurationToken;
    const bytes = response.Configuration ?? new Uint8Array();
    if (bytes.length > 0) {
      this.#applyDocument(Buffer.from(bytes).toString('utf8'), response.VersionLabel);
    }
    return response.NextPollIntervalInSeconds ?? POLL_SECONDS;
  }

  async #startSession(client: AppConfigDataClient): Promise<string> {
    const { StartConfigurationSessionCommand } = await import('@aws-sdk/client-appconfigdata');
    const { application, environment, profile } = this.#deps.settings;
    const { InitialConfigurationToken } = await client.send(
      new StartConfigurationSessionCommand({
        ApplicationIdentifier: application,
        EnvironmentIdentifier: environment,
        ConfigurationProfileIdentifier: profile,
        RequiredMinimumPollIntervalInSeconds: POLL_SECONDS,
      }),
    );
    if (InitialConfigurationToken === undefined) {
      throw new Error('AppConfig started a session without a token');
    }
    return InitialConfigurationToken;
  }

  #applyDocument(text: string, version: string | undefined): void {
    const { logger } = this.#deps;
    const parsed = flagsDocumentSchema.safeParse(parseJson(text));
    if (!parsed.success) {
      logger.error('the configuration in AppConfig is not a flags document; the last values apply', {
        component: 'flags',
        outcome: 'refused',
        reason: z.prettifyError(parsed.error),
      });
      return;
    }
    this.#document = parsed.data;
    logger.info('flags read', { component: 'flags', outcome: 'read', version });
  }

  #getClient(): Promise<AppConfigDataClient> {
    // Loaded at the first read: not every service has flags.
    this.#client ??= import('@aws-sdk/client-appconfigdata').then(
      ({ AppConfigDataClient }) => new AppConfigDataClient(clientDefaults(TIMEOUTS)),
    );
    return this.#client;
  }
}
