import { DescribeSecretCommand, RotateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { RehearsalCloud } from '../../cloud';
import { type ProviderKeys, ScriptedOpenAiAdmin } from '../../provider';
import type { RotationHistory } from '../report/history';
import type { Progress } from '../report/progress';
import { DrillError } from '../scenario/agent-stack';
import type { Scenario } from '../scenario/scenario';
import { type DeployedSecret, matchesPattern } from '../traffic/secrets';
import type { OperatorAccess } from './operator-access';
import { pause, until } from './wait';

type RotationPlan = NonNullable<Scenario['rotation']>;

/** Longest wait for a rotation, and for the last service account to go: real milliseconds. */
const MAX_WAIT_MS = 60_000;
const POLL_MS = 50;

/** The provider's side: which keys are valid, and who used which. */
export class RotatedKeys implements ProviderKeys {
  readonly admin: ScriptedOpenAiAdmin;
  readonly #used = new Map<string, { accepted: number; refused: number }>();
  readonly #revoked = new Set<string>();
  readonly #accounts = new Set<string>();

  readonly #plan: RotationPlan;

  constructor(plan: RotationPlan, now: () => number) {
    this.#plan = plan;
    const { adminKey, poolKeys, project } = plan;
    this.admin = new ScriptedOpenAiAdmin({ adminKey, project, now, otherKeys: poolKeys });
  }

  readonly accepts = (key: string): boolean => {
    const accepted = this.admin.accepts(key);
    const count = this.#used.get(key) ?? { accepted: 0, refused: 0 };
    count[accepted ? 'accepted' : 'refused'] += 1;
    this.#used.set(key, count);
    return accepted;
  };

  readonly handle: ProviderKeys['handle'] = async (request, response) => {
    const handled = await this.admin.handle(request, response);
    for (const { id } of this.admin.list()) {
      this.#accounts.add(id);
    }
    return handled;
  };

  /** Revokes a key of the pool, as an operator does in the provider's console. */
  revoke(index: number): void {
    const key = this.#plan.poolKeys[index];
    if (key !== undefined) {
      this.#revoked.add(key);
      this.admin.revoke(key);
    }
  }

  /** Use of the first keys of the pool. @param count of the keys */
  uses(count: number): RotationHistory['keys'] {
    return this.#plan.poolKeys.slice(0, count).map((key) => ({
      ...(this.#used.get(key) ?? { accepted: 0, refused: 0 }),
      revoked: this.#revoked.has(key),
    }));
  }

  get accountCounts(): RotationHistory['accounts'] {
    return { created: this.#accounts.size, left: this.admin.list().length };
  }
}

export interface SecretRotatorDeps {
  readonly plan: RotationPlan;
  readonly keys: RotatedKeys;
  readonly cloud: RehearsalCloud;
  readonly access: OperatorAccess;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Rotates the secrets of a stack while there is traffic. */
export class SecretRotator {
  readonly #deps: SecretRotatorDeps;
  readonly #secrets: readonly DeployedSecret[];
  readonly #client: SecretsManagerClient;
  readonly #rotations: { secret: string; completed: boolean }[] = [];
  #rounds = 0;
  #running: Promise<void> | undefined;

  constructor(deps: SecretRotatorDeps, secrets: readonly DeployedSecret[]) {
    this.#deps = deps;
    this.#secrets = secrets;
    this.#client = new SecretsManagerClient(deps.access);
  }

  /** Rotates for the first time: until then the secrets have random values. */
  static async begin(deps: SecretRotatorDeps, secrets: readonly DeployedSecret[]): Promise<SecretRotator> {
    const rotated = secrets.filter(({ path }) => deps.plan.secrets.some((pattern) => matchesPattern(pattern, path)));
    if (rotated.length < deps.plan.secrets.length) {
      throw new DrillError(
        `rotation.secrets: ${deps.plan.secrets.join(', ')} match ${rotated.length} secrets, expected one for each pattern: the stack has ${secrets.map(({ path }) => path).join(', ') || 'none'}`,
      );
    }
    const rotations = new SecretRotator(deps, rotated);
    await rotations.#rotateAll();
    return rotations;
  }

  /** Rotates at regular intervals of the traffic, and the last time because the key in use has leaked. */
  start(sent: () => number, tasks: number): void {
    const running = this.#rotateDuringTraffic(sent, tasks);
    running.catch(() => undefined); // Awaited at the end.
    this.#running = running;
  }

  async finish(): Promise<RotationHistory> {
    const { keys, signal } = this.#deps;
    await this.#running;
    await this.#untilNewestKeyUsed();
    await until(() => keys.accountCounts.left <= 1, MAX_WAIT_MS, signal);
    this.#client.destroy();
    return {
      rotations: this.#rotations,
      keys: keys.uses(this.#rounds),
      accounts: keys.accountCounts,
    };
  }

  async #rotateDuringTraffic(sent: () => number, tasks: number): Promise<void> {
    const { plan, cloud, keys, signal } = this.#deps;
    const previousKeys: { readonly key: number; readonly graceOver: Promise<void> }[] = [];
    for (let round = 1; round < plan.count; round += 1) {
      await until(() => sent() >= (tasks * round) / (plan.count + 1), Number.POSITIVE_INFINITY, signal);
      // Workers cache a key for up to five cloud minutes: each key must be used before the next rotation.
      await this.#untilNewestKeyUsed();
      await this.#rotateAll();
      previousKeys.push({ key: this.#rounds - 2, graceOver: cloud.clock.sleep(plan.graceSeconds * 1_000, signal) });
    }
    await this.#rotateAfterLeak();
    // The key before the leaked one must stay valid: workers fall back to it.
    await Promise.all(previousKeys.map(({ key, graceOver }) => graceOver.then(() => keys.revoke(key))));
  }

  /** Revokes the key in use, and rotates as soon as a worker has been refused. */
  async #rotateAfterLeak(): Promise<void> {
    const { keys, progress, signal } = this.#deps;
    await this.#untilNewestKeyUsed();
    const leaked = this.#rounds - 1;
    keys.revoke(leaked);
    progress.log('', `key ${leaked + 1} revoked while in use, as after a leak`);
    await until(() => (keys.uses(this.#rounds).at(-1)?.refused ?? 0) > 0, MAX_WAIT_MS, signal);
    await this.#rotateAll();
  }

  /** Waits until the newest key is used. */
  #untilNewestKeyUsed(): Promise<void> {
    const { keys, signal } = this.#deps;
    return until(() => (keys.uses(this.#rounds).at(-1)?.accepted ?? 0) > 0, MAX_WAIT_MS, signal);
  }

  async #rotateAll(): Promise<void> {
    this.#rounds += 1;
    for (const { path, physicalId } of this.#secrets) {
      const completed = await this.#rotate(physicalId);
      this.#rotations.push({ secret: path, completed });
      this.#deps.progress.log(
        '',
        `${path} ${completed ? 'rotated' : 'not rotated'}`,
        completed ? 'success' : 'failure',
      );
    }
  }

  async #rotate(SecretId: string): Promise<boolean> {
    const { VersionId = '' } = await this.#client.send(new RotateSecretCommand({ SecretId }));
    const deadline = performance.now() + MAX_WAIT_MS;
    while (performance.now() < deadline) {
      const { VersionIdsToStages = {} } = await this.#client.send(new DescribeSecretCommand({ SecretId }));
      const pending = Object.values(VersionIdsToStages).some((labels) => labels.includes('AWSPENDING'));
      if (VersionIdsToStages[VersionId]?.includes('AWSCURRENT') && !pending) {
        return true;
      }
      await pause(POLL_MS, this.#deps.signal);
    }
    return false;
  }
}
