import { rolloutCheckPropertiesSchema } from '../../../lib/contract';
import type { CustomResourceEvent } from '../../shared/aws/custom-resource';

/**
 * Whether CloudFormation restores older properties of the check, in the rollback of a failed update. The order of a
 * rollback is not documented: the alias may be rolled back after this resource, and a check that waited for it would make
 * the rollback itself fail. There is nothing to guard then, so the check passes.
 *
 * Told by the version: an update always publishes one with a higher number than the one before.
 */
export function isStackRollback({
  RequestType,
  ResourceProperties,
  OldResourceProperties,
}: CustomResourceEvent): boolean {
  const next = rolloutCheckPropertiesSchema.safeParse(ResourceProperties);
  const before = rolloutCheckPropertiesSchema.safeParse(OldResourceProperties);
  return (
    RequestType === 'Update' &&
    next.success &&
    before.success &&
    next.data.RouterFunction === before.data.RouterFunction &&
    Number(next.data.RouterVersion) < Number(before.data.RouterVersion)
  );
}
