import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { runHourlyCheck } from '../../../../../lambda/functions/rotation/hourly-check';
import { KeyPool } from '../../../../../lambda/functions/rotation/key-pool';
import type { KeySource } from '../../../../../lambda/functions/rotation/key-source';
import { OpenAiAdmin } from '../../../../../lambda/functions/rotation/openai-admin';
import { type RotationDeps, rotate } from '../../../../../lambda/functions/rotation/rotate';
import { RotationMetrics } from '../../../../../lambda/functions/rotation/rotation-metrics';
import { SecretVersions } from '../../../../../lambda/functions/rotation/secret-versions';
import { ServiceAccounts } from '../../../../../lambda/functions/rotation/service-accounts';
import type { Clock } from '../../../../../lambda/shared/clock';
import type { RotationStep } from '../../../../../lib/contract';
import { type AdminCallFault, ScriptedOpenAiAdmin } from '../../../../../rehearsal/provider';
import { createSecretsManager, type SecretsManager } from '../../../../../rehearsal/services/secretsmanager';
import { type Rig, startRig } from '../../../../rehearsal/api-server/support';
import { ManualClock } from '../../../../support/manual-clock';
import { serveOpenAiAdmin } from '../../../../support/openai-admin-server';
import { CapturedLog } from '../../../shared/support/fakes';

export const ADMIN_KEY = 'sk-admin-planted-0123456789';
export const OLD_KEY = 'sk-old-planted-0123456789';
export const POOL_KEYS = ['sk-pool-1-planted', 'sk-pool-2-planted', 'sk-pool-3-planted'];
export const GRACE_MS = 24 * 60 * 60_000;
export const HOUR_MS = 60 * 60_000;
export const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:rotation';

export type Strategy = 'service accounts' | 'pool';

/** What a call to Secrets Manager or to the provider meets. */
export type Disturb = (call: string) => AdminCallFault;

/** A rotated secret in the local Secrets Manager, a provider, and the function in between, called as AWS calls it. */
export class RotationCloud {
  static async start(strategy: Strategy, options: { readonly value?: string } = {}): Promise<RotationCloud> {
    const clock = new ManualClock();
    const parts: { secrets?: SecretsManager; cloud?: RotationCloud } = {};
    const rig = await startRig((iam) => {
      iam.attachResourcePolicy(FUNCTION, 'rotation', {
        Version: '2012-10-17',
        Statement: {
          Effect: 'Allow',
          Principal: { Service: 'secretsmanager.amazonaws.com' },
          Action: 'lambda:InvokeFunction',
          Resource: FUNCTION,
        },
      });
      parts.secrets = createSecretsManager({
        clock,
        iam,
        lambda: {
          invoke: async ({ payload }) => {
            const error = await parts.cloud?.step(JSON.parse(payload)).then(
              () => undefined,
              (caught: unknown) => caught,
            );
            return {
              status: 200,
              payload: 'null',
              executedVersion: '$LATEST',
              ...(error === undefined ? {} : { functionError: 'Unhandled' }),
            };
          },
        },
      });
      return [parts.secrets.service];
    });
    const secrets = parts.secrets as SecretsManager;
    const provider = new ScriptedOpenAiAdmin({
      adminKey: ADMIN_KEY,
      project: 'proj_1',
      now: () => clock.now(),
      otherKeys: [OLD_KEY, ...POOL_KEYS],
    });
    const server = await serveOpenAiAdmin(provider);
    const cloud = new RotationCloud(strategy, clock, rig, secrets, provider, server);
    parts.cloud = cloud;
    cloud.arn = secrets.putSecret('provider-key', options.value ?? (strategy === 'pool' ? 'not in the pool' : OLD_KEY));
    return cloud;
  }

  arn = '';
  readonly client: SecretsManagerClient;
  readonly log = new CapturedLog();
  readonly metricLines: string[] = [];
  readonly failures: unknown[] = [];
  readonly admin: string;
  readonly pool: string;
  readonly props: RotationDeps;
  readonly versions: SecretVersions;
  /** Of every call of the function, in order. */
  readonly calls: string[] = [];
  disturb: Disturb = () => undefined;
  #busy = false;

  readonly #rig: Rig;
  readonly #server: { readonly baseUrl: string; stop(): Promise<void> };

  private constructor(
    strategy: Strategy,
    readonly clock: ManualClock,
    rig: Rig,
    readonly secrets: SecretsManager,
    readonly provider: ScriptedOpenAiAdmin,
    server: { readonly baseUrl: string; stop(): Promise<void> },
  ) {
    this.#rig = rig;
    this.#server = server;
    this.client = new SecretsManagerClient(rig.operator);
    this.admin = secrets.putSecret('admin', ADMIN_KEY);
    this.pool = secrets.putSecret('pool', JSON.stringify(POOL_KEYS));
    const { baseUrl } = server;
    const time: Clock = {
      now: () => clock.now(),
      sleep: async (milliseconds) => {
        await clock.advance(milliseconds);
      },
    };
    const metrics = new RotationMetrics('support', 'openai', time, (line) => this.metricLines.push(line));
    this.versions = new SecretVersions(this.#disturbedClient());
    provider.faultFor = (call) => this.#meet(call);
    const common = { versions: this.versions, clock: time, log: this.log };
    const adminKey = async () => (await this.versions.text(this.admin, 'AWSCURRENT')) ?? '';
    const source: KeySource =
      strategy === 'pool'
        ? new KeyPool({ ...common, metrics, poolSecret: this.pool, check: { provider: 'openai', baseUrl } })
        : new ServiceAccounts({
            ...common,
            admin: new OpenAiAdmin(adminKey, 'proj_1', baseUrl),
            baseUrl,
            keyExpirySeconds: undefined,
            graceMs: GRACE_MS,
          });
    this.props = { ...common, metrics, source };
  }

  /** One step, as Secrets Manager asks for it. */
  async step(event: { Step: RotationStep; SecretId: string; ClientRequestToken: string }): Promise<void> {
    this.#busy = true;
    try {
      await rotate(event, this.props);
    } catch (error) {
      this.failures.push(error);
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  /** The hourly watch. */
  watch(): Promise<void> {
    return runHourlyCheck(this.arn, this.props);
  }

  /** Begins a rotation, and advances the clock until all its repetitions are over. @returns the version */
  async rotate(token?: string): Promise<string> {
    const { VersionId = '' } = await this.client.send(
      new RotateSecretCommand({
        SecretId: this.arn,
        RotationLambdaARN: FUNCTION,
        ClientRequestToken: token,
      }),
    );
    let over = false;
    void this.secrets.rotationsSettled().then(() => {
      over = true;
    });
    while (!over) {
      await new Promise((resolve) => setImmediate(resolve));
      // Time stands still while the function runs, and flies while Secrets Manager waits to repeat.
      if (!this.#busy && this.clock.timers > 0) {
        await this.clock.advance(60_000);
      }
    }
    return VersionId;
  }

  async value(stage = 'AWSCURRENT'): Promise<string | undefined> {
    return await this.client.send(new GetSecretValueCommand({ SecretId: this.arn, VersionStage: stage })).then(
      ({ SecretString }) => SecretString,
      () => undefined,
    );
  }

  async labels(): Promise<Readonly<Record<string, readonly string[]>>> {
    const { VersionIdsToStages = {} } = await this.client.send(new DescribeSecretCommand({ SecretId: this.arn }));
    return VersionIdsToStages;
  }

  async put(secret: string, value: string, more: object = {}): Promise<string> {
    const { VersionId = '' } = await this.client.send(
      new PutSecretValueCommand({ SecretId: secret, SecretString: value, ...more }),
    );
    return VersionId;
  }

  /** Values of a metric, in the order of emission. */
  metric(name: string): readonly number[] {
    return this.metricLines.map((line) => JSON.parse(line)[name]).filter((value) => value !== undefined);
  }

  async stop(): Promise<void> {
    this.client.destroy();
    await this.secrets.stop();
    await this.#server.stop();
    await this.#rig.stop();
  }

  #meet(call: string): AdminCallFault {
    this.calls.push(call);
    return this.disturb(call);
  }

  /** The function's client: a call may fail before it is sent, or be carried out and its answer be lost. */
  #disturbedClient(): SecretsManagerClient {
    const client = new SecretsManagerClient(this.#rig.operator);
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const disturbance = this.#meet(String(context.commandName));
        if (disturbance === 'failed') {
          throw Object.assign(new Error('connection lost'), { name: 'TimeoutError' });
        }
        const result = await next(args);
        if (disturbance === 'lost') {
          throw Object.assign(new Error('connection lost'), { name: 'TimeoutError' });
        }
        return result;
      },
      { step: 'initialize' },
    );
    return client;
  }
}

/** The nth call of the function, and no other, meets this. */
export function nth(n: number, disturbance: AdminCallFault): Disturb {
  let count = 0;
  return () => {
    count += 1;
    return count === n ? disturbance : undefined;
  };
}
