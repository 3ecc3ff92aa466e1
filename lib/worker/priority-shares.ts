import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { describeValue, laneError } from '../common';
import { DEFAULT_PRIORITY_SHARES, PlatformLimits, PRIORITIES } from '../contract';
import type { Priority } from '../contract/lanes';
import type { LambdaWorkerOptions, PriorityShares } from './lambda-worker-options';

/** Minimum of the maximum concurrency of an event source mapping (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html). */
const MIN_CONCURRENCY = 2;

const DEFAULT_MAX_CONCURRENCY = 100;

/**
 * Concurrency of each queue of a lane: integers that sum to `maxConcurrency`, as close to the shares as possible.
 *
 * @throws LaneError for a concurrency or shares out of range
 */
export function shareConcurrency(
  scope: IConstruct,
  { maxConcurrency = DEFAULT_MAX_CONCURRENCY, priorityShares = DEFAULT_PRIORITY_SHARES }: LambdaWorkerOptions,
): Record<Priority, number> {
  const most = PlatformLimits.ESM_MAX_CONCURRENCY;
  const least = MIN_CONCURRENCY * PRIORITIES.length;
  if (
    Token.isUnresolved(maxConcurrency) ||
    !Number.isInteger(maxConcurrency) ||
    maxConcurrency < least ||
    maxConcurrency > most.value
  ) {
    throw laneError(
      scope,
      'InvalidMaxConcurrency',
      `maxConcurrency of the worker must be an integer between ${least} and ${most.value}, got ${describeValue(maxConcurrency)}; each of the ${PRIORITIES.length} queues of a lane takes at least ${MIN_CONCURRENCY} tasks at once (${most.source})`,
    );
  }
  checkPriorityShares(scope, priorityShares);
  const exact = PRIORITIES.map((priority) => priorityShares[priority] * maxConcurrency);
  const concurrency = exact.map((value) => Math.max(MIN_CONCURRENCY, Math.round(value)));
  // Rounding and the minimum of each queue may miss the sum by a few: the queue with the largest deviation is adjusted.
  for (let over = total(concurrency) - maxConcurrency; over !== 0; over -= Math.sign(over)) {
    const [index] = concurrency
      .map((value, at) => ({ at, value, off: Math.sign(over) * (value - (exact[at] ?? 0)) }))
      .filter(({ value }) => over < 0 || value > MIN_CONCURRENCY)
      .sort((a, b) => b.off - a.off)
      .map(({ at }) => at);
    if (index !== undefined) {
      concurrency[index] = (concurrency[index] ?? 0) - Math.sign(over);
    }
  }
  const [high = 0, normal = 0, low = 0] = concurrency;
  return { high, normal, low };
}

/** @throws LaneError unless they are above 0 and sum to 1 */
export function checkPriorityShares(scope: IConstruct, priorityShares: PriorityShares): void {
  const shares = PRIORITIES.map((priority) => priorityShares[priority]);
  const sum = total(shares);
  if (shares.some((share) => !(share > 0)) || Math.abs(sum - 1) > 1e-6) {
    const given = PRIORITIES.map((priority) => `${priority} ${priorityShares[priority]}`).join(', ');
    throw laneError(
      scope,
      'InvalidPriorityShares',
      `priorityShares must be numbers above 0 that sum to 1, like high 0.5, normal 0.35, low 0.15, got ${given} with the sum ${Number(sum.toPrecision(6))}`,
    );
  }
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
