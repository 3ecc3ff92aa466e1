import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { type IGrantable, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { ControlKey } from '../../../lib/contract';
import { AgentStore, type AgentStoreProps } from '../../../lib/state';
import {
  grantIntake,
  grantPreflight,
  grantReadRouting,
  grantRecorder,
  grantRedrive,
  grantStatus,
  grantWebhooks,
  grantWorker,
  grantWriteTranscripts,
} from '../../../lib/state/store-grants';
import { testApp, testStack } from '../../support/stack';

const TABLE = 'AWS::DynamoDB::GlobalTable';
const BUCKET = 'AWS::S3::Bucket';

function store(props: AgentStoreProps = {}, stack: Stack = testStack()): AgentStore {
  return new AgentStore(stack, 'Store', props);
}

interface Arn {
  readonly 'Fn::GetAtt': [string, string];
}

interface Statement {
  readonly Action: string | string[];
  readonly Resource: Arn | { readonly 'Fn::Join': [string, [Arn, string]] };
  readonly Condition?: unknown;
}

/** Kind of the resource, and which part of it: `Tasks`, `Payloads/tasks/*`. */
function resourceName(resource: Statement['Resource']): string {
  if ('Fn::Join' in resource) {
    const [, [arn, rest]] = resource['Fn::Join'];
    return resourceName(arn) + rest;
  }
  return /^(?:Store)?([A-Z][a-z]+)/.exec(resource['Fn::GetAtt'][0])?.[1] ?? '';
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
      on: resourceName(Resource),
      actions: [Action]
        .flat()
        .map((action) => action.replace(/^(dynamodb|s3):/, ''))
        .sort(),
      condition: Condition,
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
      /\[Test\/Store\] MissingRegion: .*set env: \{ region: … \} on the stack/,
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

describe('bucket of payloads', () => {
  const bucketOf = (props: AgentStoreProps = {}, stack = testStack()) => {
    const made = store(props, stack);
    made._expirePayloads(Duration.days(30), Duration.days(365));
    return Template.fromStack(stack);
  };

  test('is encrypted, closed to the public, refuses plain HTTP, and keeps no versions', () => {
    const template = bucketOf();
    template.hasResource(BUCKET, { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    template.hasResourceProperties(BUCKET, {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      VersioningConfiguration: Match.absent(),
      BucketName: Match.absent(),
    });
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: [Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })],
      },
    });
  });

  test('expires payloads a day after their tasks, transcripts when they are due, and unfinished uploads', () => {
    bucketOf().hasResourceProperties(BUCKET, {
      LifecycleConfiguration: {
        Rules: [
          { Id: 'unfinished-uploads', Status: 'Enabled', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } },
          { Id: 'tasks', Status: 'Enabled', Prefix: 'tasks/', ExpirationInDays: 52 },
          { Id: 'transcripts', Status: 'Enabled', Prefix: 'transcripts/', ExpirationInDays: 365 },
        ],
      },
    });
  });

  test('keeps transcripts that have no retention', () => {
    const stack = testStack();
    store({}, stack)._expirePayloads(Duration.days(1), undefined);
    expect(JSON.stringify(Template.fromStack(stack).findResources(BUCKET))).not.toContain('transcripts/');
  });

  test('goes with the stack when told to: CloudFormation deletes it if it is empty, and no function empties it', () => {
    const template = bucketOf({ removalPolicy: RemovalPolicy.DESTROY });
    template.hasResource(BUCKET, { DeletionPolicy: 'Delete' });
    template.resourceCountIs('AWS::Lambda::Function', 0);
  });

  test('takes the key that is handed in, one data key for many objects, and grants go along with it', () => {
    const stack = regionalStack();
    bucketOf({ encryptionKey: new Key(stack, 'Key') }, stack).hasResourceProperties(BUCKET, {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          {
            BucketKeyEnabled: true,
            ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: Match.anyValue() },
          },
        ],
      },
    });
    expect(statements((s, g) => grantWriteTranscripts(s, g), true)).toEqual([
      { on: 'Payloads/transcripts/*', actions: ['PutObject'] },
      { on: 'Key', actions: ['kms:GenerateDataKey'] },
    ]);
    expect(statements((s, g) => s.grants.readTranscripts(g), true)).toContainEqual({
      on: 'Key',
      actions: ['kms:Decrypt'],
    });
  });

  test('is the one that is handed in, with its own expiry', () => {
    const stack = testStack();
    const payloads = Bucket.fromBucketName(stack, 'Mine', 'mine');
    const made = store({ payloads }, stack);
    made._expirePayloads(Duration.days(30), undefined);
    expect(made.payloads).toBe(payloads);
    Template.fromStack(stack).resourceCountIs(BUCKET, 0);
  });
});

describe('grants', () => {
  test('intake: tasks, and of the control table the routing only', () => {
    expect(statements((s, g) => grantIntake(s, g))).toEqual([
      { on: 'Tasks', actions: ['DeleteItem', 'GetItem', 'PutItem'] },
      { on: 'Control', actions: ['PutItem', 'Query'], condition: only('ROUTING') },
      { on: 'Control', actions: ['GetItem', 'PutItem'], condition: only('BACKLOG') },
      { on: 'Payloads/tasks/*', actions: ['PutObject'] },
    ]);
  });

  test('status function: tasks one at a time, the view of the backlog, and large results to read', () => {
    expect(statements((s, g) => grantStatus(s, g))).toEqual([
      { on: 'Tasks', actions: ['GetItem', 'PutItem', 'UpdateItem'] },
      { on: 'Control', actions: ['GetItem', 'PutItem'], condition: only('BACKLOG') },
      { on: 'Payloads/tasks/*', actions: ['GetObject'] },
      { on: 'Payloads', actions: ['ListBucket'] },
    ]);
  });

  test('worker: tasks, their journals and payloads, sessions, and the routing to read', () => {
    expect(statements((s, g) => grantWorker(s, g))).toEqual([
      { on: 'Tasks', actions: ['GetItem', 'PutItem', 'Query', 'UpdateItem'] },
      { on: 'Sessions', actions: ['GetItem', 'PutItem'] },
      { on: 'Control', actions: ['GetItem'], condition: only('ROUTING') },
      { on: 'Payloads/tasks/*', actions: ['GetObject', 'PutObject'] },
      { on: 'Payloads', actions: ['ListBucket'] },
    ]);
  });

  test('transcripts: a writer cannot read them, a reader sees nothing else', () => {
    expect(statements((s, g) => grantWriteTranscripts(s, g))).toEqual([
      { on: 'Payloads/transcripts/*', actions: ['PutObject'] },
    ]);
    expect(statements((s, g) => s.grants.readTranscripts(g))).toEqual([
      { on: 'Payloads/transcripts/*', actions: ['GetObject'] },
      { on: 'Payloads', actions: ['ListBucket'], condition: { StringLike: { 's3:prefix': 'transcripts/*' } } },
    ]);
  });

  test('webhooks: a task to read and to mark', () => {
    expect(statements((s, g) => grantWebhooks(s, g))).toEqual([{ on: 'Tasks', actions: ['GetItem', 'UpdateItem'] }]);
  });

  test('redrive: tasks to reopen with their steps, the routing to read, the audit trail to append to', () => {
    expect(statements((s, g) => grantRedrive(s, g))).toEqual([
      { on: 'Tasks', actions: ['GetItem', 'Query', 'UpdateItem'] },
      { on: 'Control', actions: ['Query'], condition: only('ROUTING') },
      { on: 'Control', actions: ['PutItem'], condition: only('AUDIT') },
    ]);
  });

  test('no grant allows to delete an object', () => {
    const grants = [
      (s: AgentStore, g: IGrantable) => grantIntake(s, g),
      (s: AgentStore, g: IGrantable) => grantStatus(s, g),
      (s: AgentStore, g: IGrantable) => grantWorker(s, g),
      (s: AgentStore, g: IGrantable) => grantWriteTranscripts(s, g),
      (s: AgentStore, g: IGrantable) => s.grants.readTranscripts(g),
    ];
    for (const grant of grants) {
      expect(JSON.stringify(statements(grant))).not.toContain('DeleteObject');
    }
  });

  test('read: one task at a time', () => {
    expect(statements((s, g) => s.grants.read(g))).toEqual([{ on: 'Tasks', actions: ['GetItem'] }]);
  });

  test('preflight: a task of its own', () => {
    expect(statements((s, g) => grantPreflight(s, g))).toEqual([{ on: 'Tasks', actions: ['GetItem', 'PutItem'] }]);
  });

  test('checks: the routing, to read', () => {
    expect(statements((s, g) => grantReadRouting(s, g))).toEqual([
      { on: 'Control', actions: ['GetItem'], condition: only('ROUTING') },
    ]);
  });

  test('recorder: every partition of the contract and no deletion', () => {
    expect(statements((s, g) => grantRecorder(s, g))).toEqual([
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
    expect(statements((s, g) => s.grants.read(g), true)).toEqual([
      { on: 'Tasks', actions: ['GetItem'] },
      { on: 'Key', actions: ['kms:Decrypt', 'kms:DescribeKey'] },
    ]);
    expect(statements((s, g) => grantRecorder(s, g), true)[1]).toEqual({
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
