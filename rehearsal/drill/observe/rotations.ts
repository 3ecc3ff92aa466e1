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
const PATIENCE_MS = 60_000;
const LOOK_MS = 50;

/** The provider's side: which keys are valid, and who used which. */
export class RotatedKeys implements ProviderKeys {
  readonly admin: ScriptedOpenAiAdmin;
  private readonly used = new Map<string, { accepted: number; refused: number }>();
  private readonly revoked = new Set<string>();
  private readonly accounts = new Set<string>();

  constructor(
    private readonly plan: RotationPlan,
    now: () => number,
  ) {
    const { adminKey, poolKeys, project } = plan;
    this.admin = new ScriptedOpenAiAdmin({ adminKey, project, now, otherKeys: poolKeys });
  }

  readonly accepts = (key: string): boolean => {
    const accepted = this.admin.accepts(key);
    const count = this.used.get(key) ?? { accepted: 0, refused: 0 };
    count[accepted ? 'accepted' : 'refused'] += 1;
    this.used.set(key, count);
    return accepted;
  };

  readonly handle: ProviderKeys['handle'] = async (request, response) => {
    const handled = await this.admin.handle(request, response);
    for (const { id } of this.admin.list()) {
      this.accounts.add(id);
    }
    return handled;
  };

  /** Revokes the nth key of the pool, as a person would in the provider's console. */
  revoke(index: number): void {
    const key = this.plan.poolKeys[index];
    if (key !== undefined) {
      this.revoked.add(key);
      this.admin.revoke(key);
    }
  }

  /** Of the first so many keys of the pool. */
  uses(count: number): RotationHistory['keys'] {
    return this.plan.poolKeys.slice(0, count).map((key) => ({
      ...(this.used.get(key) ?? { accepted: 0, refused: 0 }),
      revoked: this.revoked.has(key),
    }));
  }

  get accountCounts(): RotationHistory['accounts'] {
    return { created: this.accounts.size, left: this.admin.list().length };
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
  private readonly client: SecretsManagerClient;
  private readonly done: { secret: string; completed: boolean }[] = [];
  private rounds = 0;
  private running: Promise<void> | undefined;

  constructor(
    private readonly props: SecretRotatorDeps,
    private readonly secrets: readonly DeployedSecret[],
  ) {
    this.client = new SecretsManagerClient(props.access);
  }

  /** The first rotation: until then the secrets hold random values. */
  static async begin(props: SecretRotatorDeps, secrets: readonly DeployedSecret[]): Promise<SecretRotator> {
    const rotated = secrets.filter(({ path }) => props.plan.secrets.some((pattern) => matchesPattern(pattern, path)));
    if (rotated.length < props.plan.secrets.length) {
      throw new DrillError(
        `rotation.secrets: ${props.plan.secrets.join(', ')} match ${rotated.length} secrets; there are ${secrets.map(({ path }) => path).join(', ') || 'none'}`,
      );
    }
    const rotations = new SecretRotator(props, rotated);
    await rotations.rotateAll();
    return rotations;
  }

  /** Rotates at equal distances of the traffic from now on, and the last time because the key in use has leaked. */
  start(sent: () => number, tasks: number): void {
    const running = this.accompany(sent, tasks);
    running.catch(() => undefined); // Awaited at the end.
    this.running = running;
  }

  async finish(): Promise<RotationHistory> {
    const { keys, signal } = this.props;
    await this.running;
    await this.untilUsed();
    await until(() => keys.accountCounts.left <= 1, PATIENCE_MS, signal);
    this.client.destroy();
    return {
      rotations: this.done,
      keys: keys.uses(this.rounds),
      accounts: keys.accountCounts,
    };
  }

  private async accompany(sent: () => number, tasks: number): Promise<void> {
    const { plan, cloud, keys, signal } = this.props;
    const outdated: { readonly key: number; readonly graceOver: Promise<void> }[] = [];
    for (let time = 1; time < plan.count; time += 1) {
      await until(() => sent() >= (tasks * time) / (plan.count + 1), Number.POSITIVE_INFINITY, signal);
      // Workers keep a key for up to five minutes of the cloud: none is rotated away before anybody has used it.
      await this.untilUsed();
      await this.rotateAll();
      outdated.push({ key: this.rounds - 2, graceOver: cloud.clock.sleep(plan.graceSeconds * 1_000, signal) });
    }
    await this.leak();
    // Nobody takes away the key before one that has leaked: it is what workers go on with.
    await Promise.all(outdated.map(({ key, graceOver }) => graceOver.then(() => keys.revoke(key))));
  }

  /** Revokes the key that workers use, and rotates once one of them has met the refusal. */
  private async leak(): Promise<void> {
    const { keys, progress, signal } = this.props;
    await this.untilUsed();
    const leaked = this.rounds - 1;
    keys.revoke(leaked);
    progress.log('', `key ${leaked + 1} revoked while in use, as after a leak`);
    await until(() => (keys.uses(this.rounds).at(-1)?.refused ?? 0) > 0, PATIENCE_MS, signal);
    await this.rotateAll();
  }

  /** Waits until the newest key is used. */
  private untilUsed(): Promise<void> {
    const { keys, signal } = this.props;
    return until(() => (keys.uses(this.rounds).at(-1)?.accepted ?? 0) > 0, PATIENCE_MS, signal);
  }

  private async rotateAll(): Promise<void> {
    this.rounds += 1;
    for (const { path, physicalId } of this.secrets) {
      const completed = await this.rotate(physicalId);
      this.done.push({ secret: path, completed });
      this.props.progress.log(
        '',
        `${path} ${completed ? 'rotated' : 'not rotated'}`,
        completed ? 'success' : 'failure',
      );
    }
  }

  private async rotate(SecretId: string): Promise<boolean> {
    const { VersionId = '' } = await this.client.send(new RotateSecretCommand({ SecretId }));
    const deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline) {
      const { VersionIdsToStages = {} } = await this.client.send(new DescribeSecretCommand({ SecretId }));
      const pending = Object.values(VersionIdsToStages).some((labels) => labels.includes('AWSPENDING'));
      if (VersionIdsToStages[VersionId]?.includes('AWSCURRENT') && !pending) {
        return true;
      }
      await pause(LOOK_MS, this.props.signal);
    }
    return false;
  }
}
