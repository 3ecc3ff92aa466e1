import { randomInt } from 'node:crypto';
import type { CircuitBreaker, ServiceRevision } from './model';

export type DeploymentOutcome = { readonly completed: true } | { readonly completed: false; readonly reason: string };

/**
 * One deployment of a service: the tasks of one revision, and how far it has come.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
 */
export class Deployment {
  readonly id = `ecs-svc/${Array.from({ length: 19 }, () => randomInt(1, 10)).join('')}`;
  state: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED' = 'IN_PROGRESS';
  reason = `ECS deployment ${this.id} in progress.`;
  /** Since the last task that became healthy. */
  failedTasks = 0;
  #resolve: (outcome: DeploymentOutcome) => void = () => undefined;
  /** Resolves when it has completed, has failed, or was overtaken by a newer one. */
  settled: Promise<DeploymentOutcome>;

  constructor(
    readonly revision: ServiceRevision,
    /** Cloud milliseconds since 1970. */
    readonly createdAt: number,
  ) {
    this.settled = this.#outcome();
  }

  complete(): void {
    this.state = 'COMPLETED';
    this.reason = `ECS deployment ${this.id} completed.`;
    this.#resolve({ completed: true });
  }

  fail(reason: string): void {
    this.state = 'FAILED';
    this.reason = reason;
    this.#resolve({ completed: false, reason });
  }

  /** It is the service's present one again: a later one has failed. */
  resume(reason: string): void {
    this.state = 'IN_PROGRESS';
    this.reason = reason;
    this.failedTasks = 0;
    this.settled = this.#outcome();
  }

  /** A newer one has begun. */
  supersede(): void {
    this.#resolve({ completed: false, reason: `deployment ${this.id} was replaced by a newer one` });
  }

  #outcome(): Promise<DeploymentOutcome> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}

/**
 * Failed tasks at which the circuit breaker gives a deployment up.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ThresholdConfiguration.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
 */
export function breakerThreshold({ threshold }: CircuitBreaker, desired: number): number {
  const share = Math.ceil((threshold.value / 100) * desired);
  switch (threshold.type) {
    case 'COUNT':
      return threshold.value;
    case 'BOUNDED_PERCENT':
      return Math.min(200, Math.max(3, share));
    case 'UNBOUNDED_PERCENT':
      return Math.max(1, share);
  }
}
