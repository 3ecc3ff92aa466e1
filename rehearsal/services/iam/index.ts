import type { ResourceHandler } from '../../core/resource';
import { Iam } from './model';
import { managedPolicyHandler, policyHandler, roleHandler } from './resources';

export interface IamModule {
  readonly iam: Iam;
  readonly handlers: readonly ResourceHandler[];
}

/** IAM has no operations on the wire: roles and policies come from templates only. */
export function createIam(): IamModule {
  const iam = new Iam();
  return { iam, handlers: [roleHandler(iam), policyHandler(iam), managedPolicyHandler(iam)] };
}
