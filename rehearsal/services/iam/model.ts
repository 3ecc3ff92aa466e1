import { randomUUID } from 'node:crypto';
import { randomSuffix } from '../../core/physical-name';
import type { Decision, DeniedCall, IamPort } from '../../core/ports';
import type { Credentials } from '../../core/principal';
import { OPERATOR, OPERATOR_CREDENTIALS, type Principal } from '../../core/principal';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION, ResourceFailure } from '../../core/resource';
import type { RequiredPermission } from '../../core/service';
import type { ConditionContext } from './conditions';
import { awsManagedPolicy } from './managed-policies';
import { compilePolicy, type Policy, type Request, type Statement, sessionArn } from './policy';

/** Maximum number of denied calls that are kept for the report. */
const MAX_DENIED_KEPT = 1_000;

export interface RoleDefinition {
  readonly arn: string;
  readonly name: string;
  readonly trust: unknown;
  /** Policy name → document. */
  readonly inline: Readonly<Record<string, unknown>>;
  readonly managedArns: readonly string[];
}

interface Role {
  readonly arn: string;
  readonly name: string;
  trust: Policy;
  /** The role's own `Policies`. */
  inline: readonly Policy[];
  managedArns: readonly string[];
  /** Attached by `AWS::IAM::Policy` and `AWS::IAM::ManagedPolicy`, by their physical id. */
  readonly attached: Map<string, Policy>;
}

/**
 * Roles and policies of the template, and the decision on every call. Within one account a call is allowed if an identity
 * or a resource policy allows it and none denies it.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html
 * Not evaluated: permission boundaries, session and organization policies (refused in templates), key policies of KMS.
 */
export class Iam implements IamPort {
  readonly #roles = new Map<string, Role>();
  readonly #managed = new Map<string, Policy>();
  readonly #resourcePolicies = new Map<string, Map<string, Policy>>();
  readonly #principals = new Map<string, Principal>([[OPERATOR_CREDENTIALS.accessKeyId, OPERATOR]]);
  readonly #sessions = new Map<string, Credentials>();
  readonly #denied: DeniedCall[] = [];
  #calls = 0;

  sessionFor(roleArn: string, label: string, service?: string, session?: string): Credentials {
    const role = this.#roles.get(roleArn);
    if (role === undefined) throw new Error(`role ${roleArn} does not exist`);
    if (service !== undefined) {
      const principal: Principal = { kind: 'service', arn: service, label: service };
      const request = requestOf(principal, { action: 'sts:AssumeRole', resource: roleArn });
      if (
        !role.trust.statements.some(
          (one) => one.effect === 'Allow' && one.principalMatch(principal) && one.matches(request),
        )
      ) {
        throw new Error(`role ${roleArn} cannot be assumed by ${service}: its trust policy does not allow it`);
      }
    }
    const key = `${roleArn} ${label} ${session ?? ''}`;
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const credentials = {
      accessKeyId: `ASIA${randomSuffix(16)}`,
      secretAccessKey: 'rehearsal',
      sessionToken: randomUUID(),
    };
    const principal: Principal = { kind: 'role', arn: roleArn, label, session };
    this.#principals.set(credentials.accessKeyId, principal);
    this.#sessions.set(key, credentials);
    return credentials;
  }

  principalOf(accessKeyId: string): Principal | undefined {
    return this.#principals.get(accessKeyId);
  }

  decide(principal: Principal, permission: RequiredPermission): Decision {
    this.#calls++;
    const decision = this.evaluate(principal, permission);
    if (!decision.allowed && this.#denied.length < MAX_DENIED_KEPT) {
      const { action, resource } = permission;
      this.#denied.push({ principal: sessionArn(principal), action, resource, reason: decision.reason });
    }
    return decision;
  }

  /** Like {@link decide}, but not counted as a call. */
  evaluate(principal: Principal, permission: RequiredPermission): Decision {
    if (principal.kind === 'operator') return { allowed: true, reason: 'the operator is allowed everything' };
    const request = requestOf(principal, permission);
    const identity = this.#identityPolicies(principal);
    const resource = this.#policiesOn(permission.resource);
    const denied = (kind: string) => refusal(principal, permission, `with an explicit deny in ${kind} policy`);
    if (findStatement(identity, (one) => one.effect === 'Deny' && one.matches(request)) !== undefined) {
      return denied('an identity-based');
    }
    const deniedByResource = (one: Statement) =>
      one.effect === 'Deny' && one.principalMatch(principal) !== undefined && one.matches(request);
    if (findStatement(resource, deniedByResource) !== undefined) return denied('a resource-based');
    const allowance =
      findStatement(identity, (one) => one.effect === 'Allow' && one.matches(request)) ??
      // Naming the account only delegates to its identity policies: that is not a permission.
      findStatement(
        resource,
        (one) => one.effect === 'Allow' && one.principalMatch(principal) === 'itself' && one.matches(request),
      );
    if (allowance !== undefined) return { allowed: true, reason: `allowed by ${allowance}` };
    const kind = principal.kind === 'role' ? 'identity-based' : 'resource-based';
    return refusal(principal, permission, `because no ${kind} policy allows the ${permission.action} action`);
  }

  attachResourcePolicy(resourceArn: string, id: string, document: unknown): void {
    const policy = compilePolicy(id, document);
    const existing = this.#resourcePolicies.get(resourceArn);
    if (existing === undefined) this.#resourcePolicies.set(resourceArn, new Map([[id, policy]]));
    else existing.set(id, policy);
  }

  detachResourcePolicy(resourceArn: string, id: string): void {
    const policies = this.#resourcePolicies.get(resourceArn);
    policies?.delete(id);
    if (policies?.size === 0) this.#resourcePolicies.delete(resourceArn);
  }

  statistics(): { readonly calls: number; readonly denied: readonly DeniedCall[] } {
    return { calls: this.#calls, denied: [...this.#denied] };
  }

  /**
   * Creates the role or gives it new content; policies attached to it stay.
   * @throws ResourceFailure on a policy that cannot be evaluated, before anything changes.
   */
  putRole(definition: RoleDefinition): void {
    const trust = compilePolicy(`trust policy of ${definition.name}`, definition.trust);
    const inline = Object.entries(definition.inline).map(([name, document]) => compilePolicy(name, document));
    for (const arn of definition.managedArns) this.#managedPolicy(arn);
    const role = this.#roles.get(definition.arn);
    if (role === undefined) {
      const { arn, name, managedArns } = definition;
      this.#roles.set(arn, { arn, name, trust, inline, managedArns, attached: new Map() });
    } else {
      Object.assign(role, { trust, inline, managedArns: definition.managedArns });
    }
  }

  hasRole(arn: string): boolean {
    return this.#roles.has(arn);
  }

  deleteRole(arn: string): void {
    this.#roles.delete(arn);
  }

  /** @throws ResourceFailure if there is no such role. */
  roleArn(name: string): string {
    for (const role of this.#roles.values()) if (role.name === name) return role.arn;
    throw new ResourceFailure(`role ${name} does not exist`);
  }

  /** Attaches the policy to exactly the named roles. */
  attach(policyId: string, document: unknown, roleNames: readonly string[]): void {
    const policy = compilePolicy(policyId, document);
    const arns = new Set(roleNames.map((name) => this.roleArn(name)));
    for (const role of this.#roles.values()) {
      if (arns.has(role.arn)) role.attached.set(policyId, policy);
      else role.attached.delete(policyId);
    }
  }

  detach(policyId: string): void {
    for (const role of this.#roles.values()) role.attached.delete(policyId);
  }

  putManagedPolicy(arn: string, document: unknown): void {
    this.#managed.set(arn, compilePolicy(arn, document));
  }

  deleteManagedPolicy(arn: string): void {
    this.#managed.delete(arn);
  }

  #identityPolicies(principal: Principal): readonly Policy[] {
    const role = principal.kind === 'role' ? this.#roles.get(principal.arn) : undefined;
    if (role === undefined) return [];
    return [...role.inline, ...role.attached.values(), ...role.managedArns.map((arn) => this.#managedPolicy(arn))];
  }

  #managedPolicy(arn: string): Policy {
    const known = this.#managed.get(arn);
    if (known !== undefined) return known;
    const document = awsManagedPolicy(arn);
    if (document === undefined)
      throw new ResourceFailure(`not rehearsable: managed policy ${arn}: its content is unknown`);
    const policy = compilePolicy(arn, document);
    this.#managed.set(arn, policy);
    return policy;
  }

  #policiesOn(resource: string): readonly Policy[] {
    // A bucket's policy is that of its objects too.
    const holder = resource.startsWith('arn:aws:s3:::') ? resource.replace(/\/.*$/s, '') : resource;
    const policies = this.#resourcePolicies.get(holder);
    return policies === undefined ? [] : [...policies.values()];
  }
}

function findStatement(policies: readonly Policy[], test: (statement: Statement) => boolean): string | undefined {
  for (const policy of policies) {
    const statement = policy.statements.find(test);
    if (statement !== undefined) return `${policy.name}, ${statement.name}`;
  }
  return undefined;
}

/** Condition keys that every call has. The API server uses plain HTTP on the loopback interface, which counts as secure transport. */
function requestOf(principal: Principal, permission: RequiredPermission): Request {
  const context = new Map<string, readonly string[]>([
    ['aws:securetransport', ['true']],
    ['aws:requestedregion', [REHEARSAL_REGION]],
    ['aws:resourceaccount', [REHEARSAL_ACCOUNT]],
    ['aws:principalisawsservice', [String(principal.kind === 'service')]],
  ]);
  if (principal.kind === 'role') {
    context.set('aws:principalarn', [principal.arn]);
    context.set('aws:principalaccount', [REHEARSAL_ACCOUNT]);
  }
  for (const [key, values] of Object.entries(permission.conditions ?? {})) context.set(key.toLowerCase(), values);
  return { action: permission.action, resource: permission.resource, context: context satisfies ConditionContext };
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html */
function refusal(principal: Principal, permission: RequiredPermission, why: string): Decision {
  const who = sessionArn(principal);
  return {
    allowed: false,
    reason: `User: ${who} is not authorized to perform: ${permission.action} on resource: ${permission.resource} ${why}`,
  };
}
