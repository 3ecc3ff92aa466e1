import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ROTATION_STEPS, type RotationStep } from '../../../lib/contract';
import type { RehearsalClock, Timer } from '../../core/clock';
import type { IamPort, LambdaPort } from '../../core/ports';
import { cfnNumber } from '../../core/properties';
import { REHEARSAL_ACCOUNT } from '../../core/resource';
import { ServiceError } from '../../core/service';
import type { Secret, SecretStore } from './model';

const HOUR_MS = 60 * 60_000;
const RATE = /^rate\((\d+) (hours?|days?)\)$/;

export const rotationRulesSchema = z.strictObject({
  AutomaticallyAfterDays: cfnNumber.optional(),
  Duration: z.string().optional(),
  ScheduleExpression: z
    .string()
    .regex(RATE, 'expected rate(n hours) or rate(n days): cron is not rehearsable')
    .optional(),
});
export type RotationRules = z.infer<typeof rotationRulesSchema>;

/** AWS says that a rotation that fails is repeated several times, and not how often or when: cloud milliseconds. */
const REPEAT_AFTER_MS = [60_000, 120_000, 240_000, 480_000] as const;

const PRINCIPAL = 'secretsmanager.amazonaws.com';

export interface RotateRequest {
  /** ARN. @default the one set before */
  readonly function: string | undefined;
  /** @default those set before */
  readonly rules: RotationRules | undefined;
  readonly immediately: boolean;
  /** Id of the new version. @default made here */
  readonly token: string | undefined;
}

interface Settings {
  readonly function: string;
  readonly rules: RotationRules | undefined;
}

interface RotationSchedule extends Settings {
  timer: Timer | undefined;
  nextAt: number | undefined;
}

export interface RotationsProps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  readonly lambda: Pick<LambdaPort, 'invoke'>;
  readonly store: SecretStore;
}

/**
 * Rotates secrets by their functions, when asked and when it is time.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
 */
export class Rotations {
  readonly #props: RotationsProps;
  /** By ARN of the secret. */
  readonly #plans = new Map<string, RotationSchedule>();
  /** Rotations in progress, by ARN of the secret. */
  readonly #running = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(props: RotationsProps) {
    this.#props = props;
  }

  /**
   * Sets the schedule and begins a rotation, or only tries the function.
   *
   * @returns version that the secret is being rotated to
   */
  async rotate(secret: Secret, request: RotateRequest): Promise<string | undefined> {
    const before = this.#plans.get(secret.arn);
    const name = request.function ?? before?.function;
    if (name === undefined) {
      throw new ServiceError(
        'InvalidRequestException',
        'No Lambda rotation function ARN is associated with this secret.',
      );
    }
    this.#checkPermission(name, secret);
    before?.timer?.cancel();
    const plan: RotationSchedule = {
      function: name,
      rules: request.rules ?? before?.rules,
      timer: undefined,
      nextAt: undefined,
    };
    this.#plans.set(secret.arn, plan);
    this.#schedule(secret, plan);
    if (!request.immediately) {
      await this.#testRotationFunction(secret, plan);
      return undefined;
    }
    return this.#begin(secret, plan, request.token);
  }

  cancel(arn: string): void {
    this.#plans.get(arn)?.timer?.cancel();
    this.#plans.delete(arn);
  }

  /** What DescribeSecret says of it. */
  describe(secret: Secret): Readonly<Record<string, unknown>> {
    const plan = this.#plans.get(secret.arn);
    return {
      ...(secret.lastRotatedAt === undefined ? {} : { LastRotatedDate: new Date(secret.lastRotatedAt) }),
      ...(plan === undefined
        ? {}
        : {
            RotationEnabled: true,
            RotationLambdaARN: plan.function,
            RotationRules: plan.rules,
            ...(plan.nextAt === undefined ? {} : { NextRotationDate: new Date(plan.nextAt) }),
          }),
    };
  }

  /** Resolves when no rotation is in progress. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#plans.values()) {
      timer?.cancel();
    }
  }

  #begin(secret: Secret, plan: Settings, token: string | undefined): string {
    const pending = [...secret.versions.values()].find(({ stages }) => stages.has('AWSPENDING'));
    if (pending !== undefined && !pending.stages.has('AWSCURRENT') && pending.id !== token) {
      throw new ServiceError(
        'InvalidRequestException',
        "A previous rotation isn't complete. That rotation will be reattempted.",
      );
    }
    const { id } = this.#props.store.begin(secret, token ?? randomUUID());
    if (!this.#running.has(secret.arn)) {
      const run = this.#run(secret, plan, id).finally(() => this.#running.delete(secret.arn));
      this.#running.set(secret.arn, run);
    }
    return id;
  }

  /** All four steps; a failure restarts them from the first one. */
  async #run(secret: Secret, plan: Settings, token: string): Promise<void> {
    for (const wait of [0, ...REPEAT_AFTER_MS]) {
      if (wait > 0) {
        await this.#props.clock.sleep(wait);
      }
      if (this.#stopped || !this.#plans.has(secret.arn)) {
        return;
      }
      if (await this.#attempt(secret, plan, token)) {
        this.#finish(secret, token);
        return;
      }
    }
  }

  async #attempt(secret: Secret, plan: Settings, token: string): Promise<boolean> {
    for (const step of ROTATION_STEPS) {
      if (!(await this.#step(secret, plan, token, step))) {
        return false;
      }
    }
    return secret.versions.get(token)?.stages.has('AWSCURRENT') ?? false;
  }

  async #step(secret: Secret, plan: Settings, token: string, step: RotationStep): Promise<boolean> {
    try {
      const { functionError } = await this.#props.lambda.invoke({
        function: plan.function,
        payload: JSON.stringify({ Step: step, SecretId: secret.arn, ClientRequestToken: token }),
        type: 'RequestResponse',
        invoker: { service: PRINCIPAL, sourceArn: secret.arn },
      });
      return functionError === undefined;
    } catch {
      // Throttled, no longer permitted, or deleted.
      return false;
    }
  }

  #finish(secret: Secret, token: string): void {
    const version = secret.versions.get(token);
    version?.stages.delete('AWSPENDING');
    secret.lastRotatedAt = this.#props.clock.now();
    const plan = this.#plans.get(secret.arn);
    if (plan !== undefined) {
      plan.timer?.cancel();
      this.#schedule(secret, plan);
    }
  }

  #schedule(secret: Secret, plan: RotationSchedule): void {
    const interval = intervalOf(plan.rules);
    if (interval === undefined || this.#stopped) {
      return;
    }
    plan.nextAt = this.#props.clock.now() + interval;
    plan.timer = this.#props.clock.after(interval, () => {
      // A failed rotation is retried with its own token.
      const pending = [...secret.versions.values()].find(
        ({ stages }) => stages.has('AWSPENDING') && !stages.has('AWSCURRENT'),
      );
      this.#schedule(secret, plan);
      this.#begin(secret, plan, pending?.id);
    });
  }

  /**
   * "Secrets Manager tests the rotation configuration by running the testSecret step": on a version without a value, which
   * is then removed. How a failure is reported is not documented; here it is only in the function's log.
   */
  async #testRotationFunction(secret: Secret, plan: Settings): Promise<void> {
    const pending = [...secret.versions.values()].some(({ stages }) => stages.has('AWSPENDING'));
    if (pending) {
      return;
    }
    const { id } = this.#props.store.begin(secret, randomUUID());
    try {
      await this.#step(secret, plan, id, 'testSecret');
    } finally {
      secret.versions.delete(id);
    }
  }

  #checkPermission(name: string, secret: Secret): void {
    const { allowed } = this.#props.iam.decide(
      { kind: 'service', arn: PRINCIPAL, label: PRINCIPAL },
      {
        action: 'lambda:InvokeFunction',
        resource: name,
        conditions: { 'aws:SourceAccount': [REHEARSAL_ACCOUNT], 'aws:SourceArn': [secret.arn] },
      },
    );
    if (!allowed) {
      throw new ServiceError(
        'AccessDeniedException',
        `Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal ${PRINCIPAL}.`,
      );
    }
  }
}

function intervalOf(rules: RotationRules | undefined): number | undefined {
  const [, count, unit] = RATE.exec(rules?.ScheduleExpression ?? '') ?? [];
  if (count !== undefined && unit !== undefined) {
    return Number(count) * (unit.startsWith('day') ? 24 : 1) * HOUR_MS;
  }
  return rules?.AutomaticallyAfterDays === undefined ? undefined : rules.AutomaticallyAfterDays * 24 * HOUR_MS;
}
