import type { RehearsalClock } from '../../core/clock';
import { adjustedCapacity, type StepPolicy } from './step-policy';

/** Services whose tasks are scaled, as Application Auto Scaling knows them: `service/CLUSTER/NAME`. */
export interface ScalableServices {
  /** Undefined when there is no such service. */
  desiredCount(resourceId: string): number | undefined;
  scaleTo(resourceId: string, count: number): void;
  /** Whether a deployment is in progress. */
  deploying(resourceId: string): boolean;
}

/** One change of a capacity. */
export interface ScalingActivity {
  /** Cloud milliseconds since 1970. */
  readonly at: number;
  readonly resourceId: string;
  readonly from: number;
  readonly to: number;
  /** Policy and alarm, or what else asked for it. */
  readonly cause: string;
}

interface Target {
  readonly resourceId: string;
  min: number;
  max: number;
  suspended: { readonly in: boolean; readonly out: boolean };
}

interface Policy {
  readonly arn: string;
  readonly name: string;
  readonly resourceId: string;
  steps: StepPolicy;
  /** The last thing that it did, while it has to wait for the effect. */
  last: { readonly until: number; readonly direction: 'out' | 'in'; readonly base: number } | undefined;
}

export interface AlarmValue {
  readonly alarm: string;
  readonly value: number;
  readonly threshold: number;
}

/** Activities that are kept, the newest. */
const MAX_ACTIVITIES = 10_000;

/**
 * Scalable targets and their step scaling policies.
 *
 * During the cooldown after a scale-out, the policy only scales out further, by the difference to what it added already. After a
 * scale-in it waits for the end of the cooldown, and a scale-out ends that wait. Which policies a cooldown holds back when a
 * target has several is not documented; here each has its own.
 *
 * @see https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
 */
export class ScalableTargets {
  readonly #clock: RehearsalClock;
  readonly #services: ScalableServices;
  readonly #onActivity: (activity: ScalingActivity) => void;
  readonly #targets = new Map<string, Target>();
  readonly #policies = new Map<string, Policy>();
  readonly #activities: ScalingActivity[] = [];

  constructor(clock: RehearsalClock, services: ScalableServices, onActivity: (activity: ScalingActivity) => void) {
    this.#clock = clock;
    this.#services = services;
    this.#onActivity = onActivity;
  }

  /** Oldest first. */
  get activities(): readonly ScalingActivity[] {
    return [...this.#activities];
  }

  has(resourceId: string): boolean {
    return this.#targets.has(resourceId);
  }

  /**
   * A capacity outside of the new limits is brought within them at once, running tasks or not.
   * https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
   */
  register(target: Target): void {
    this.#targets.set(target.resourceId, target);
    const now = this.#services.desiredCount(target.resourceId) ?? 0;
    const within = Math.min(target.max, Math.max(target.min, now));
    const limit = within > now ? `minimum capacity ${target.min}` : `maximum capacity ${target.max}`;
    this.#set(target.resourceId, now, within, `the scalable target was registered with a ${limit}`);
  }

  /** Its policies go with it. */
  deregister(resourceId: string): void {
    this.#targets.delete(resourceId);
    for (const [arn, policy] of this.#policies) {
      if (policy.resourceId === resourceId) {
        this.#policies.delete(arn);
      }
    }
  }

  putPolicy(arn: string, name: string, resourceId: string, steps: StepPolicy): void {
    const known = this.#policies.get(arn);
    if (known === undefined) {
      this.#policies.set(arn, { arn, name, resourceId, steps, last: undefined });
    } else {
      known.steps = steps;
    }
  }

  deletePolicy(arn: string): void {
    this.#policies.delete(arn);
  }

  /** An alarm invokes the policy. @throws Error when there is no such policy */
  invoke(arn: string, { alarm, value, threshold }: AlarmValue): void {
    const policy = this.#policies.get(arn);
    const target = policy === undefined ? undefined : this.#targets.get(policy.resourceId);
    if (policy === undefined || target === undefined) {
      throw new Error(`there is no scaling policy ${arn}`);
    }
    const now = this.#clock.now();
    const current = this.#services.desiredCount(target.resourceId);
    if (current === undefined) {
      throw new Error(`there is no service ${target.resourceId}`);
    }
    const waiting = policy.last !== undefined && now < policy.last.until ? policy.last : undefined;
    const base = waiting?.direction === 'out' ? waiting.base : current;
    const wanted = adjustedCapacity(policy.steps, base, value - threshold);
    if (wanted === undefined) {
      return;
    }
    const to = Math.min(target.max, Math.max(target.min, wanted));
    const direction = to > current ? 'out' : 'in';
    const held =
      to === current ||
      target.suspended[direction] ||
      // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
      (direction === 'in' && (waiting !== undefined || this.#services.deploying(target.resourceId)));
    if (held) {
      return;
    }
    if (direction === 'out') {
      this.#endCooldowns(target.resourceId);
    }
    policy.last = { until: now + policy.steps.Cooldown * 1000, direction, base };
    const at = Number(value.toPrecision(6));
    this.#set(target.resourceId, current, to, `policy ${policy.name}, alarm ${alarm} at ${at}`);
  }

  /** A scale-out ends every wait after a scale-in. */
  #endCooldowns(resourceId: string): void {
    for (const policy of this.#policies.values()) {
      if (policy.resourceId === resourceId && policy.last?.direction === 'in') {
        policy.last = undefined;
      }
    }
  }

  #set(resourceId: string, from: number, to: number, cause: string): void {
    if (from === to) {
      return;
    }
    this.#services.scaleTo(resourceId, to);
    const activity = { at: this.#clock.now(), resourceId, from, to, cause };
    this.#activities.push(activity);
    if (this.#activities.length > MAX_ACTIVITIES) {
      this.#activities.shift();
    }
    this.#onActivity(activity);
  }
}
