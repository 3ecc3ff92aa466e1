import type { RotationDeps } from './rotate';

/**
 * Every hour: measures how old the current value is, and removes what a rotation left until its grace period was over.
 *
 * Before the first rotation nothing was left, and people may not have put the admin key or the pool in yet: what fails
 * then is said, and is no failure. The age is measured all the same, so that it does not stay so unnoticed.
 */
export async function runHourlyCheck(
  secret: string,
  { versions, source, metrics, clock, log }: RotationDeps,
): Promise<void> {
  const view = await versions.describe(secret);
  const since = await versions.currentSince(secret, view);
  if (since !== undefined) {
    metrics.age(clock.now() - since);
  }
  try {
    await source.cleanUp(view, since);
  } catch (error) {
    if (view.lastRotatedAt !== undefined) {
      throw error;
    }
    log.warn('rotation is not configured yet', { reason: error instanceof Error ? error.message : String(error) });
  }
}
