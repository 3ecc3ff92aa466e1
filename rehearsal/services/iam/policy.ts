import { z } from 'zod';
import type { Principal } from '../../core/principal';
import { REHEARSAL_ACCOUNT, ResourceFailure } from '../../core/resource';
import { type Condition, type ConditionContext, compileConditions, wildcard, withoutVariables } from './conditions';

const oneOrMore = z.union([z.string().transform((text) => [text]), z.array(z.string())]);

const statementSchema = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.union([z.literal('*'), z.record(z.string(), oneOrMore)]).optional(),
  Action: oneOrMore.optional(),
  NotAction: oneOrMore.optional(),
  Resource: oneOrMore.optional(),
  NotResource: oneOrMore.optional(),
  Condition: z.record(z.string(), z.unknown()).optional(),
});
type StatementSource = z.infer<typeof statementSchema>;

const documentSchema = z.strictObject({
  Version: z.string().optional(),
  Id: z.string().optional(),
  Statement: z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(statementSchema)),
});

/** What a statement is matched against. */
export interface Request {
  readonly action: string;
  readonly resource: string;
  readonly context: ConditionContext;
}

export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  /** `Sid`, or its place in the policy. */
  readonly name: string;
  /** Action, resource and conditions; not the principal. */
  matches(request: Request): boolean;
  /** Resource policies: whether, and how, the statement names the principal. */
  principalMatch(principal: Principal): 'itself' | 'its account' | undefined;
}

export interface Policy {
  readonly name: string;
  readonly statements: readonly Statement[];
}

/**
 * Compiles a policy document.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
 * @throws ResourceFailure on a policy that the rehearsal cannot evaluate as AWS does.
 */
export function compilePolicy(name: string, document: unknown): Policy {
  const parsed = documentSchema.safeParse(document);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(document)'}: ${issue.message}`);
    throw new ResourceFailure(`not rehearsable: policy ${name}: ${problems.join('; ')}`);
  }
  return { name, statements: parsed.data.Statement.map((source, index) => compileStatement(name, source, index)) };
}

function compileStatement(policy: string, source: StatementSource, index: number): Statement {
  const name = source.Sid ?? `statement ${index + 1}`;
  const place = `policy ${policy}, ${name}`;
  if ((source.Action === undefined) === (source.NotAction === undefined)) {
    throw new ResourceFailure(`${place}: expected either Action or NotAction`);
  }
  if (source.Resource !== undefined && source.NotResource !== undefined) {
    throw new ResourceFailure(`${place}: expected either Resource or NotResource`);
  }
  const action = patterns(source.Action ?? source.NotAction ?? [], 'i', place);
  const actionWanted = source.Action !== undefined;
  // Trust policies have no resource: they belong to one role.
  const resource = patterns(source.Resource ?? source.NotResource ?? ['*'], '', place);
  const resourceWanted = source.NotResource === undefined;
  const condition: Condition = source.Condition === undefined ? () => true : compileConditions(source.Condition, place);
  const principal = source.Principal === undefined ? undefined : compilePrincipal(source.Principal, place);
  return {
    effect: source.Effect,
    name,
    matches: (request) =>
      action.some((pattern) => pattern.test(request.action)) === actionWanted &&
      resource.some((pattern) => pattern.test(request.resource)) === resourceWanted &&
      condition(request.context),
    principalMatch: (one) => principal?.(one),
  };
}

function patterns(texts: readonly string[], flags: '' | 'i', place: string): readonly RegExp[] {
  return texts.map((text) => wildcard(withoutVariables(text, place), flags));
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html */
function compilePrincipal(
  source: '*' | Readonly<Record<string, readonly string[]>>,
  place: string,
): (principal: Principal) => 'itself' | 'its account' | undefined {
  if (source === '*') return () => 'itself';
  for (const kind of Object.keys(source)) {
    if (!['AWS', 'Service', 'Federated'].includes(kind)) {
      throw new ResourceFailure(`not rehearsable: principal of kind ${kind}, used by ${place}`);
    }
  }
  const accounts = source.AWS ?? [];
  const services = source.Service ?? [];
  return (principal) => {
    if (accounts.includes('*')) return 'itself';
    if (principal.kind === 'service') return services.includes(principal.arn) ? 'itself' : undefined;
    if (principal.kind !== 'role') return undefined;
    if (accounts.includes(principal.arn) || accounts.includes(sessionArn(principal))) return 'itself';
    return accounts.some(isOwnAccount) ? 'its account' : undefined;
  };
}

function isOwnAccount(text: string): boolean {
  return text === REHEARSAL_ACCOUNT || /^arn:[^:]+:iam::(\d+):root$/.exec(text)?.[1] === REHEARSAL_ACCOUNT;
}

/** ARN of the session in which a function acts as its role: what AWS names in errors. */
export function sessionArn(principal: Principal): string {
  const match = /^arn:([^:]+):iam::(\d+):role\/(?:.*\/)?([^/]+)$/.exec(principal.arn);
  if (principal.kind !== 'role' || match === null) return principal.arn;
  return `arn:${match[1]}:sts::${match[2]}:assumed-role/${match[3]}/${principal.label}`;
}
