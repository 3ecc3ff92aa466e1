import type { RehearsalCloud } from '../../cloud';
import type { Credentials } from '../../core/principal';
import { DrillError } from '../scenario/agent-stack';

/**
 * Credentials that callers sign with: those of a role in the stack, or of an operator who may do everything.
 *
 * @param caller logical id or construct path of the role
 * @throws DrillError naming the roles that there are
 */
export function callerCredentials(cloud: RehearsalCloud, stackName: string, caller: string | undefined): Credentials {
  if (caller === undefined) {
    return cloud.operatorCredentials;
  }
  const roles = cloud.resources(stackName).filter(({ type }) => type === 'AWS::IAM::Role');
  const role = roles.find(
    ({ logicalId, path }) => logicalId === caller || path === caller || path === `${caller}/Resource`,
  );
  const arn = role?.attributes.Arn;
  if (arn === undefined) {
    const paths = roles.map(({ path }) => path).join(', ');
    throw new DrillError(`traffic.caller: no role ${caller} in stack ${stackName}: expected one of ${paths}`);
  }
  return cloud.iam.sessionFor(String(arn), 'caller');
}
