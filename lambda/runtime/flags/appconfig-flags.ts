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
import type { Log } from '../../shared/telemetry/logger';
import { FatalError } from '../errors';
import type { FlagReader } from './task-flags';

/** Least that AppConfig allows between two calls of a session, and what a worker asks for. Seconds. */
const POLL_SECONDS = 15;

/** Added to the time between two calls, by chance: workers that began together must not ask together for ever. */
const JITTER = 0.2;

/** A task waits for this call, and can do without: one attempt, soon given up. Milliseconds. */
const TIMEOUTS = { connectionTimeout: 500, requestTimeout: 1_000, maxAttempts: 2 } as const;

export interface AppConfigFlagsDeps {
  readonly settings: FlagSettings;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly logger: Log;
}

/**
 * The flags of one environment, from AppConfig: one call for all tasks, made when a task reads a flag and the time that
 * AppConfig named is over. A call that fails costs the tasks a second and nothing else: the document that was read last
 * stands, however old, and before the first one the defaults do.
 *
 * A session's tokens are good for one call each and for a day
 * (https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_appconfigdata_GetLatestConfiguration.html).
 */
export class AppConfigFlags implements FlagReader {
  readonly #deps: AppConfigFlagsDeps;
  #client: Promise<AppConfigDataClient> | undefined;
  #token: string | undefined;
  #document: FlagsDocument | undefined;
  /** Cloud time before which AppConfig is not asked. */
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
      throw new FatalError(`the worker was given no flag "${name}"`, { code: RuntimeErrorCode.FLAG_UNKNOWN });
    }
    await this.#refresh();
    const document = this.#document;
    const flag = document !== undefined && Object.hasOwn(document, name) ? document[name] : undefined;
    const value = flag === undefined ? fallback : flagValueFor(name, flag, user);
    // A document of another release of the service: the agent must get what it was written for.
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
      seconds = Math.max(POLL_SECONDS, await this.#ask());
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

  /** @returns seconds before which AppConfig does not want to be asked again */
  async #ask(): Promise<number> {
    const { GetLatestConfigurationCommand } = await import('@aws-sdk/client-appconfigdata');
    const client = await this.#connected();
    const ask = async (ConfigurationToken: string) =>
      client.send(new GetLatestConfigurationCommand({ ConfigurationToken }));
    const known = this.#token;
    // A token is spent with the call, whatever comes of it.
    this.#token = undefined;
    let answer: Awaited<ReturnType<typeof ask>>;
    try {
      answer = await ask(known ?? (await this.#begin(client)));
    } catch (error) {
      // Of a session that has expired while the environment was frozen.
      if (known === undefined || errorName(error) !== 'BadRequestException') {
        throw error;
      }
      answer = await ask(await this.#begin(client));
    }
    this.#token = answer.NextPollConfigurationToken;
    const bytes = answer.Configuration ?? new Uint8Array();
    if (bytes.length > 0) {
      this.#take(Buffer.from(bytes).toString('utf8'), answer.VersionLabel);
    }
    return answer.NextPollIntervalInSeconds ?? POLL_SECONDS;
  }

  async #begin(client: AppConfigDataClient): Promise<string> {
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

  #take(text: string, version: string | undefined): void {
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

  #connected(): Promise<AppConfigDataClient> {
    // Loaded at the first read: not every service has flags.
    this.#client ??= import('@aws-sdk/client-appconfigdata').then(
      ({ AppConfigDataClient }) => new AppConfigDataClient(clientDefaults(TIMEOUTS)),
    );
    return this.#client;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
