import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { RehearsalClock } from '../../core/clock';
import {
  type Call,
  type RehearsalService,
  type RequiredPermission,
  type RestRequest,
  RestResponse,
  ServiceError,
} from '../../core/service';
import { type AppConfigStore, configurationArn } from './model';

const DEFAULT_POLL_SECONDS = 60;
const TOKEN_LIFETIME_MS = 24 * 3_600_000;

const startSchema = z.strictObject({
  ApplicationIdentifier: z.string(),
  EnvironmentIdentifier: z.string(),
  ConfigurationProfileIdentifier: z.string(),
  RequiredMinimumPollIntervalInSeconds: z.number().int().min(15).max(86_400).optional(),
});

interface Session {
  readonly application: string;
  readonly environment: string;
  readonly profile: string;
  readonly pollSeconds: number;
  /** From 0 up to 100: a deployment in progress reaches the session when its share is above this number. */
  readonly draw: number;
  /** Configuration that it has. */
  content: string | undefined;
  /** Cloud time before which it must not poll again. */
  notBefore: number;
}

/**
 * The data plane of AppConfig: sessions, and the newest configuration for each. A token is valid for one call; the body is
 * empty if the session has the configuration already.
 *
 * A deployment in progress reaches a share of the sessions, each of which keeps it: AWS specifies a percentage of callers and
 * does not document how callers are distinguished.
 *
 * https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_Operations_AWS_AppConfig_Data.html
 */
export class AppConfigOperations implements RehearsalService {
  readonly #store: AppConfigStore;
  readonly #clock: RehearsalClock;
  readonly #random: () => number;
  readonly signingName = 'appconfig';
  readonly protocol = 'restJson1';
  readonly operations = ['StartConfigurationSession', 'GetLatestConfiguration'];
  readonly #sessions = new Map<string, { readonly session: Session; readonly issuedAt: number }>();

  constructor(store: AppConfigStore, clock: RehearsalClock, random: () => number) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  route({
    method,
    path,
    query,
    body,
  }: RestRequest): { readonly operation: string; readonly input: Record<string, unknown> } | undefined {
    if (method === 'POST' && path === '/configurationsessions') {
      return { operation: 'StartConfigurationSession', input: JSON.parse(body.toString()) as Record<string, unknown> };
    }
    return method === 'GET' && path === '/configuration'
      ? { operation: 'GetLatestConfiguration', input: { ConfigurationToken: query.configuration_token } }
      : undefined;
  }

  authorize({ operation, input }: Call): readonly RequiredPermission[] {
    const of =
      operation === 'StartConfigurationSession'
        ? [input.ApplicationIdentifier, input.EnvironmentIdentifier, input.ConfigurationProfileIdentifier]
        : this.#configurationOf(String(input.ConfigurationToken));
    if (of === undefined) {
      // A used token, as sent by a client that repeats a call after a lost answer: BadRequestException, not AccessDenied.
      return [];
    }
    const [application, environment, profile] = of.map(String);
    const resource = configurationArn(application ?? '', environment ?? '', profile ?? '');
    return [{ action: `appconfig:${operation}`, resource }];
  }

  async handle({ operation, input }: Call): Promise<unknown> {
    return operation === 'StartConfigurationSession'
      ? this.#start(input)
      : this.#latest(String(input.ConfigurationToken));
  }

  #start(input: unknown): RestResponse {
    const parsed = startSchema.safeParse(input);
    if (!parsed.success) {
      throw new ServiceError('BadRequestException', z.prettifyError(parsed.error));
    }
    const {
      ApplicationIdentifier: application,
      EnvironmentIdentifier: environment,
      ConfigurationProfileIdentifier: profile,
      RequiredMinimumPollIntervalInSeconds: pollSeconds = DEFAULT_POLL_SECONDS,
    } = parsed.data;
    if (
      this.#store.environments.get(environment)?.application !== application ||
      this.#store.profiles.get(profile)?.application !== application
    ) {
      throw new ServiceError('ResourceNotFoundException', `no configuration ${profile} in ${environment}`, 404);
    }
    const token = this.#issue({
      application,
      environment,
      profile,
      pollSeconds,
      draw: this.#random() * 100,
      content: undefined,
      notBefore: 0,
    });
    return new RestResponse(
      201,
      { 'content-type': 'application/json' },
      JSON.stringify({ InitialConfigurationToken: token }),
    );
  }

  #latest(token: string): RestResponse {
    const known = this.#sessions.get(token);
    this.#sessions.delete(token);
    const now = this.#clock.now();
    if (known === undefined || now - known.issuedAt > TOKEN_LIFETIME_MS) {
      throw new ServiceError('BadRequestException', 'the token is unknown, spent or expired', 400, {
        Reason: 'InvalidParameters',
      });
    }
    const { session } = known;
    if (now < session.notBefore) {
      throw new ServiceError('BadRequestException', 'the configuration was asked for too early', 400, {
        Reason: 'InvalidParameters',
      });
    }
    const served = this.#store.served(session.environment, session.profile);
    const { inProgress } = served;
    const content =
      inProgress !== undefined && session.draw < inProgress.percent ? inProgress.content : served.complete;
    if (content === undefined) {
      throw new ServiceError('ResourceNotFoundException', 'nothing is deployed for this caller', 404);
    }
    const changed = content !== session.content;
    session.content = content;
    session.notBefore = now + session.pollSeconds * 1000;
    return new RestResponse(
      200,
      {
        'content-type': 'application/json',
        'next-poll-configuration-token': this.#issue(session),
        'next-poll-interval-in-seconds': String(session.pollSeconds),
      },
      changed ? content : '',
    );
  }

  #issue(session: Session): string {
    const token = randomUUID();
    this.#sessions.set(token, { session, issuedAt: this.#clock.now() });
    return token;
  }

  #configurationOf(token: string): readonly string[] | undefined {
    const session = this.#sessions.get(token)?.session;
    return session === undefined ? undefined : [session.application, session.environment, session.profile];
  }
}
