import type { RotationProps } from './rotate';

/** Every hour: measures how old the current value is, and removes what a rotation left until its grace period was over. */
export async function watch(
  secret: string,
  { versions, source, metrics, clock }: Pick<RotationProps, 'versions' | 'source' | 'metrics' | 'clock'>,
): Promise<void> {
  const view = await versions.describe(secret);
  const since = await versions.currentSince(secret, view);
  if (since !== undefined) {
    metrics.age(clock.now() - since);
  }
  await source.tidy(view, since);
}
