import type { Principal } from '../../../rehearsal/core/principal';
import { OPERATOR } from '../../../rehearsal/core/principal';
import { createIam } from '../../../rehearsal/services/iam';
import type { Iam } from '../../../rehearsal/services/iam/model';
import { LAMBDA_TRUST, Resource, roleArn } from '../api-server/support';

const QUEUE = 'arn:aws:sqs:us-east-1:123456789012:work';
const ROLE: Principal = { kind: 'role', arn: roleArn('worker'), label: 'worker' };
const SNS: Principal = { kind: 'service', arn: 'sns.amazonaws.com', label: 'sns' };

let iam: Iam;
let handlers: ReturnType<typeof createIam>['handlers'];

beforeEach(() => {
  ({ iam, handlers } = createIam());
});

const statement = (Effect: 'Allow' | 'Deny', rest: object = {}) => ({
  Effect,
  Action: 'sqs:SendMessage',
  Resource: QUEUE,
  ...rest,
});
const policy = (...Statement: object[]) => ({ Version: '2012-10-17', Statement });

function putRole(...statements: object[]): void {
  iam.putRole({
    arn: ROLE.arn,
    name: 'worker',
    trust: LAMBDA_TRUST,
    inline: statements.length === 0 ? {} : { own: policy(...statements) },
    managedArns: [],
  });
}

const may = (principal: Principal, action = 'sqs:SendMessage', resource = QUEUE) =>
  iam.decide(principal, { action, resource }).allowed;

describe('identity policies', () => {
  test('allow what they name and nothing else', () => {
    putRole(statement('Allow'));
    expect(may(ROLE)).toBe(true);
    expect(may(ROLE, 'sqs:ReceiveMessage')).toBe(false);
    expect(may(ROLE, 'sqs:SendMessage', `${QUEUE}-other`)).toBe(false);
  });

  test('actions have wildcards and no case, resources have wildcards and case', () => {
    putRole(statement('Allow', { Action: 'SQS:send*', Resource: 'arn:aws:sqs:*:*:wor?' }));
    expect(may(ROLE)).toBe(true);
    expect(may(ROLE, 'sqs:SendMessage', QUEUE.replace('work', 'Work'))).toBe(false);
  });

  test('NotAction and NotResource are everything else', () => {
    putRole(statement('Allow', { Action: undefined, NotAction: 'sqs:Delete*', Resource: undefined, NotResource: 'a' }));
    expect(may(ROLE)).toBe(true);
    expect(may(ROLE, 'sqs:DeleteMessage')).toBe(false);
    expect(may(ROLE, 'sqs:SendMessage', 'a')).toBe(false);
  });

  test('an explicit deny wins', () => {
    putRole(statement('Allow'), statement('Deny', { Action: '*', Resource: '*' }));
    expect(iam.decide(ROLE, { action: 'sqs:SendMessage', resource: QUEUE })).toEqual({
      allowed: false,
      reason: expect.stringMatching(/with an explicit deny in an identity-based policy$/),
    });
  });

  test('judge by the condition keys of the call', () => {
    const Condition = { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['ROUTING'] } };
    putRole({ Effect: 'Allow', Action: 'dynamodb:*', Resource: '*', Condition });
    const put = (...keys: string[]) =>
      iam.decide(ROLE, { action: 'dynamodb:PutItem', resource: 't', conditions: { 'dynamodb:LeadingKeys': keys } });
    expect(put('ROUTING').allowed).toBe(true);
    expect(put('ROUTING', 'AUDIT').allowed).toBe(false);
  });

  test('count plain HTTP on the loopback as secure transport', () => {
    const Condition = { Bool: { 'aws:SecureTransport': 'false' } };
    putRole(statement('Allow'), statement('Deny', { Condition }));
    expect(may(ROLE)).toBe(true);
  });
});

describe('resource policies', () => {
  const attach = (...statements: object[]) => iam.attachResourcePolicy(QUEUE, 'queue policy', policy(...statements));

  test('allow a role that they name, without an identity policy', () => {
    putRole();
    attach(statement('Allow', { Principal: { AWS: ROLE.arn } }));
    expect(may(ROLE)).toBe(true);
    iam.detachResourcePolicy(QUEUE, 'queue policy');
    expect(may(ROLE)).toBe(false);
  });

  test('allow a session that they name', () => {
    putRole();
    attach(statement('Allow', { Principal: { AWS: 'arn:aws:sts::123456789012:assumed-role/worker/worker' } }));
    expect(may(ROLE)).toBe(true);
  });

  test('naming the account leaves it to the identity policies', () => {
    putRole();
    attach(statement('Allow', { Principal: { AWS: 'arn:aws:iam::123456789012:root' } }));
    expect(may(ROLE)).toBe(false);
    putRole(statement('Allow'));
    expect(may(ROLE)).toBe(true);
  });

  test('a deny for the account or for all denies', () => {
    putRole(statement('Allow'));
    attach(statement('Deny', { Principal: { AWS: '123456789012' } }));
    expect(may(ROLE)).toBe(false);
    attach(statement('Deny', { Principal: '*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }));
    expect(may(ROLE)).toBe(true);
    attach(statement('Deny', { Principal: { AWS: '*' } }));
    expect(iam.decide(ROLE, { action: 'sqs:SendMessage', resource: QUEUE }).reason).toMatch(
      /with an explicit deny in a resource-based policy$/,
    );
  });

  test('let a service in that they name, and no other', () => {
    attach(statement('Allow', { Principal: { Service: 'sns.amazonaws.com' } }));
    expect(may(SNS)).toBe(true);
    expect(may({ ...SNS, arn: 'events.amazonaws.com' })).toBe(false);
    expect(may({ kind: 'anonymous', arn: 'anonymous', label: 'anonymous' })).toBe(false);
  });

  test('hold for their resource only', () => {
    attach(statement('Allow', { Principal: '*', Resource: '*' }));
    expect(may(SNS)).toBe(true);
    expect(may(SNS, 'sqs:SendMessage', `${QUEUE}2`)).toBe(false);
  });
});

test('the operator may do everything; a role that is gone may do nothing', () => {
  putRole(statement('Allow'));
  iam.deleteRole(ROLE.arn);
  expect(may(ROLE)).toBe(false);
  expect(may(OPERATOR)).toBe(true);
});

test('counts calls and keeps the denied ones; judge does neither', () => {
  putRole();
  may(ROLE);
  iam.evaluate(ROLE, { action: 'sqs:SendMessage', resource: QUEUE });
  expect(iam.statistics()).toEqual({
    calls: 1,
    denied: [
      {
        principal: 'arn:aws:sts::123456789012:assumed-role/worker/worker',
        action: 'sqs:SendMessage',
        resource: QUEUE,
        reason: expect.stringContaining('because no identity-based policy allows the sqs:SendMessage action'),
      },
    ],
  });
});

describe('sessions', () => {
  test('a role and a label have one session, recognized by its access key', () => {
    putRole();
    const credentials = iam.sessionFor(ROLE.arn, 'fn', 'lambda.amazonaws.com');
    expect(iam.sessionFor(ROLE.arn, 'fn')).toBe(credentials);
    expect(iam.sessionFor(ROLE.arn, 'other').accessKeyId).not.toBe(credentials.accessKeyId);
    expect(iam.principalOf(credentials.accessKeyId)).toEqual({ kind: 'role', arn: ROLE.arn, label: 'fn' });
  });

  test('refuses a service that the trust policy does not let in', () => {
    putRole();
    expect(() => iam.sessionFor(ROLE.arn, 'd', 'codedeploy.amazonaws.com')).toThrow(
      `role ${ROLE.arn} cannot be assumed by codedeploy.amazonaws.com: its trust policy does not allow it`,
    );
  });

  test('refuses a role that does not exist', () => {
    expect(() => iam.sessionFor(roleArn('missing'), 'x')).toThrow(`role ${roleArn('missing')} does not exist`);
  });
});

describe('resources', () => {
  const trust = { AssumeRolePolicyDocument: LAMBDA_TRUST };
  const role = () => Resource.of(handlers, 'AWS::IAM::Role', 'WorkerRole');

  test('a role has its inline and its AWS managed policies', async () => {
    const outcome = await role().create({
      ...trust,
      Policies: [{ PolicyName: 'own', PolicyDocument: policy(statement('Allow')) }],
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'],
    });
    expect(outcome.physicalId).toMatch(/^Test-WorkerRole-[A-Z0-9]{12}$/);
    expect(outcome.attributes.Arn).toBe(`arn:aws:iam::123456789012:role/${outcome.physicalId}`);
    const principal: Principal = { kind: 'role', arn: String(outcome.attributes.Arn), label: 'x' };
    expect(may(principal)).toBe(true);
    expect(may(principal, 'logs:PutLogEvents', 'anything')).toBe(true);
    expect(may(principal, 'logs:DeleteLogGroup', 'anything')).toBe(false);
  });

  test('an update of a role replaces its own policies and keeps those attached to it', async () => {
    const resource = role();
    const { physicalId, attributes } = await resource.create({
      ...trust,
      Policies: [{ PolicyName: 'own', PolicyDocument: policy(statement('Allow')) }],
    });
    const attached = Resource.of(handlers, 'AWS::IAM::Policy', 'Extra');
    const more = { PolicyName: 'Extra', Roles: [physicalId] };
    const receive = statement('Allow', { Action: 'sqs:ReceiveMessage' });
    await attached.create({ ...more, PolicyDocument: policy(receive) });
    const principal: Principal = { kind: 'role', arn: String(attributes.Arn), label: 'x' };
    await resource.update(trust);
    expect(may(principal)).toBe(false);
    expect(may(principal, 'sqs:ReceiveMessage')).toBe(true);
    await attached.update({ ...more, PolicyDocument: policy(statement('Allow', { Action: 'sqs:DeleteMessage' })) });
    expect(may(principal, 'sqs:ReceiveMessage')).toBe(false);
    expect(may(principal, 'sqs:DeleteMessage')).toBe(true);
    await attached.delete();
    expect(may(principal, 'sqs:DeleteMessage')).toBe(false);
  });

  test('a managed policy of the template works by its ARN', async () => {
    const managed = Resource.of(handlers, 'AWS::IAM::ManagedPolicy', 'Shared');
    const { physicalId } = await managed.create({ PolicyDocument: policy(statement('Allow')) });
    const { attributes } = await role().create({ ...trust, ManagedPolicyArns: [physicalId] });
    expect(may({ kind: 'role', arn: String(attributes.Arn), label: 'x' })).toBe(true);
  });

  test('a role name of the template is used, and a path is in the ARN', async () => {
    const outcome = await role().create({ ...trust, RoleName: 'named', Path: '/agents/' });
    expect(outcome).toMatchObject({ physicalId: 'named', attributes: { Arn: roleArn('agents/named') } });
  });

  test('refuses an AWS managed policy whose content is not known', async () => {
    const arn = 'arn:aws:iam::aws:policy/AdministratorAccess';
    await expect(role().create({ ...trust, ManagedPolicyArns: [arn] })).rejects.toThrow(
      `not rehearsable: managed policy ${arn}`,
    );
  });

  test('refuses a policy on users and a role with a permissions boundary, by name', async () => {
    const users = { PolicyName: 'p', PolicyDocument: policy(), Users: ['operator'] };
    await expect(Resource.of(handlers, 'AWS::IAM::Policy').create(users)).rejects.toThrow(
      /not rehearsable: AWS::IAM::Policy at Test\/Thing: .*Users/,
    );
    await expect(role().create({ ...trust, PermissionsBoundary: 'arn' })).rejects.toThrow(
      /not rehearsable: AWS::IAM::Role at Test\/WorkerRole: .*PermissionsBoundary/,
    );
  });

  test.each([
    [{ Effect: 'Allow', Action: 'a', Resource: '*', NotPrincipal: '*' }, /NotPrincipal/],
    [{ Effect: 'Allow', Resource: '*' }, /expected either Action or NotAction/],
    [{ Effect: 'Allow', Action: 'a', Resource: '*', NotResource: '*' }, /expected either Resource or NotResource/],
    [{ Effect: 'Perhaps', Action: 'a', Resource: '*' }, /Effect/],
    [
      { Effect: 'Allow', Action: 'a', Resource: '*', Principal: { CanonicalUser: 'x' } },
      /principal of kind CanonicalUser/,
    ],
  ])('refuses a statement that it could not judge: %j', async (bad, message) => {
    const properties = { ...trust, Policies: [{ PolicyName: 'bad', PolicyDocument: policy(bad) }] };
    await expect(role().create(properties)).rejects.toThrow(message);
  });
});
