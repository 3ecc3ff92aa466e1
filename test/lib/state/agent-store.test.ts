import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { type IGrantable, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { ControlKey } from '../../../lib/contract';
import { AgentStore, type AgentStoreProps } from '../../../lib/state';
import { testApp, testStack } from '../../support/stack';

const TABLE = 'AWS::DynamoDB::GlobalTable';

function store(props: AgentStoreProps = {}, stack: Stack = testStack()): AgentStore {
  return new AgentStore(stack, 'Store', props);
}

interface Statement {
  readonly Action: string | string[];
  readonly Resource: { readonly 'Fn::GetAtt': [string, string] };
  readonly Condition?: unknown;
}

/** Statements of a role after a grant: kind of the resource, actions, condition. */
function statements(grant: (store: AgentStore, grantee: IGrantable) => unknown, withKey = false): object[] {
  const stack = regionalStack();
  const role = new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  grant(store(withKey ? { encryptionKey: new Key(stack, 'Key') } : {}, stack), role);
  const policies = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
  return policies
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[])
    .map(({ Action, Resource, Condition }) => ({
      on: /^(?:Store)?([A-Z][a-z]+)/.exec(Resource['Fn::GetAtt'][0])?.[1],
      actions: [Action]
        .flat()
        .map((action) => action.replace('dynamodb:', ''))
        .sort(),
      ...(Condition === undefined ? {} : { condition: Condition }),
    }));
}

const only = (...partitions: string[]) => ({ 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': partitions } });

function regionalStack(): Stack {
  return new Stack(testApp(), 'Test', { env: { region: 'eu-west-1' } });
}

describe('AgentStore', () => {
  test('keeps three tables with the contract keys, expiry, restore to any point in time, and protection', () => {
    const stack = testStack();
    store({}, stack);
    const tables = Template.fromStack(stack).findResources(TABLE);
    expect(Object.keys(tables)).toHaveLength(3);
    for (const table of Object.values(tables)) {
      expect(table).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
      expect(table.Properties).toMatchObject({
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
        Replicas: [
          { DeletionProtectionEnabled: true, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } },
        ],
      });
    }
  });

  test('lets go of the tables when told to', () => {
    const stack = testStack();
    store({ removalPolicy: RemovalPolicy.DESTROY }, stack);
    Template.fromStack(stack).allResources(TABLE, {
      DeletionPolicy: 'Delete',
      Properties: { Replicas: [Match.objectLike({ DeletionProtectionEnabled: false })] },
    });
  });

  test('keeps protection apart from the removal policy when both are given', () => {
    const stack = testStack();
    store({ removalPolicy: RemovalPolicy.DESTROY, deletionProtection: true }, stack);
    Template.fromStack(stack).allResourcesProperties(TABLE, {
      Replicas: [Match.objectLike({ DeletionProtectionEnabled: true })],
    });
  });

  test('takes tables that exist, and creates the others', () => {
    const stack = testStack();
    const tasks = dynamodb.TableV2.fromTableName(stack, 'Imported', 'tasks');
    expect(store({ tasks }, stack).tasks).toBe(tasks);
    Template.fromStack(stack).resourceCountIs(TABLE, 2);
  });

  test('refuses a key in a stack without region', () => {
    const stack = testStack();
    expect(() => store({ encryptionKey: new Key(stack, 'Key') }, stack)).toThrow(
      /\[Test\/Store\] KeyNeedsRegion: .*give the stack env: \{ region: … \}/,
    );
  });

  test('encrypts with the key that is handed in', () => {
    const stack = regionalStack();
    store({ encryptionKey: new Key(stack, 'Key') }, stack);
    Template.fromStack(stack).allResourcesProperties(TABLE, {
      SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
      Replicas: [Match.objectLike({ SSESpecification: { KMSMasterKeyId: Match.anyValue() } })],
    });
  });
});

describe('grants', () => {
  test('intake: tasks, and of the control table the routing only', () => {
    expect(statements((s, g) => s.grantIntake(g))).toEqual([
      { on: 'Tasks', actions: ['DeleteItem', 'GetItem', 'PutItem'] },
      { on: 'Control', actions: ['PutItem', 'Query'], condition: only('ROUTING') },
    ]);
  });

  test('worker: tasks that exist, and sessions', () => {
    expect(statements((s, g) => s.grantWorker(g))).toEqual([
      { on: 'Tasks', actions: ['GetItem', 'UpdateItem'] },
      { on: 'Sessions', actions: ['GetItem', 'PutItem'] },
    ]);
  });

  test('read: one task at a time', () => {
    expect(statements((s, g) => s.grantRead(g))).toEqual([{ on: 'Tasks', actions: ['GetItem'] }]);
  });

  test('preflight: a task of its own', () => {
    expect(statements((s, g) => s.grantPreflight(g))).toEqual([{ on: 'Tasks', actions: ['GetItem', 'PutItem'] }]);
  });

  test('checks: the routing, to read', () => {
    expect(statements((s, g) => s.grantReadRouting(g))).toEqual([
      { on: 'Control', actions: ['GetItem'], condition: only('ROUTING') },
    ]);
  });

  test('recorder: every partition of the contract and no deletion', () => {
    expect(statements((s, g) => s.grantRecorder(g))).toEqual([
      {
        on: 'Control',
        actions: ['GetItem', 'PutItem'],
        condition: only('ROUTING', 'RELEASE#*', 'AUDIT'),
      },
    ]);
    const allowed = [/^ROUTING$/, /^RELEASE#.*$/, /^AUDIT$/];
    const keys = [
      ControlKey.promoted,
      ControlKey.rollout,
      ControlKey.valve,
      ControlKey.release('r-0123456789ab'),
      ControlKey.releaseContent('r-0123456789ab', 1),
      ControlKey.audit('2026-01-01T00:00:00Z', '1'),
    ];
    expect(keys.filter(({ pk }) => !allowed.some((pattern) => pattern.test(pk)))).toEqual([]);
  });

  test('go along with the key when there is one: reading decrypts, writing encrypts as well', () => {
    expect(statements((s, g) => s.grantRead(g), true)).toEqual([
      { on: 'Tasks', actions: ['GetItem'] },
      { on: 'Key', actions: ['kms:Decrypt', 'kms:DescribeKey'] },
    ]);
    expect(statements((s, g) => s.grantRecorder(g), true)[1]).toEqual({
      on: 'Key',
      actions: [
        'kms:Decrypt',
        'kms:DescribeKey',
        'kms:Encrypt',
        'kms:GenerateDataKey',
        'kms:GenerateDataKeyWithoutPlaintext',
        'kms:ReEncryptFrom',
        'kms:ReEncryptTo',
      ],
    });
  });
});
