import type { RotationDeps } from './rotate';

/**
 * Runs every hour: emits the age of the current value and deletes keys whose grace period is over.
 *
 * Before the first rotation there is nothing to delete, and the admin key or the pool may not exist yet: errors are then logged
 * and are not a failure. The age is emitted anyway, so that a missing configuration is noticed.
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
