import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { type DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../../../../../lambda/shared/aws/clients/dynamodb';
import type { QueueUrls } from '../../../../../lambda/shared/settings';
import { envelopeOf } from '../../../../../lambda/shared/tasks/task-queues';
import {
  ControlKey,
  LANES,
  type LaneName,
  PRIORITIES,
  TaskKey,
  type TaskRecord,
  taskRecordSchema,
} from '../../../../../lib/contract';
import { createDynamoDb, type DynamoDb } from '../../../../../rehearsal/services/dynamodb';
import { createSecretsManager, type SecretsManager } from '../../../../../rehearsal/services/secretsmanager';
import { createSqs, type Sqs } from '../../../../../rehearsal/services/sqs';
import { Resource, type Rig, startRig } from '../../../../rehearsal/api-server/support';
import { ManualClock } from '../../../../support/manual-clock';

export const AGENT = 'support';
export const RELEASE = 'r-0123456789ab';

const TABLE = {
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
  ],
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  BillingMode: 'PAY_PER_REQUEST',
};

let sequence = 0;

/** Queues, tables and secrets of an agent in the local cloud, for real SDK clients. The clock stands until it is moved. */
export class Cloud {
  static async start(): Promise<Cloud> {
    const clock = new ManualClock();
    const db = createDynamoDb({ clock });
    const parts: { sqs?: Sqs; secrets?: SecretsManager } = {};
    const rig = await startRig((iam) => {
      parts.sqs = createSqs({
        clock,
        iam,
        metrics: { put: () => undefined, ingestLogLine: () => undefined, alarm: () => undefined, alarms: () => [] },
        endpointUrl: () => rig.apiServer.url,
      });
      parts.secrets = createSecretsManager({ clock, iam });
      return [];
    });
    const { sqs, secrets } = parts as Required<typeof parts>;
    rig.apiServer.add(db.service, sqs.service, secrets.service);
    for (const TableName of ['tasks', 'control']) {
      await Resource.of(db.handlers, 'AWS::DynamoDB::Table', TableName).create({ ...TABLE, TableName });
    }
    const cloud = new Cloud(clock, rig, db, sqs, secrets);
    for (const lane of LANES) {
      await cloud.queue(`${lane}-dead`);
      for (const priority of PRIORITIES) {
        await cloud.queue(`${lane}-${priority}`, 100);
      }
    }
    return cloud;
  }

  readonly sqs: SQSClient;
  readonly documents: DynamoDBDocumentClient;
  readonly secretsManager: SecretsManagerClient;

  private constructor(
    readonly clock: ManualClock,
    readonly rig: Rig,
    private readonly db: DynamoDb,
    private readonly queues: Sqs,
    readonly secrets: SecretsManager,
  ) {
    this.sqs = new SQSClient(rig.operator);
    this.documents = documentClient(new DynamoDBClient(rig.operator));
    this.secretsManager = new SecretsManagerClient(rig.operator);
  }

  get url(): string {
    return this.rig.apiServer.url;
  }

  get queueUrls(): QueueUrls {
    return Object.fromEntries(
      LANES.map((lane) => [
        lane,
        Object.fromEntries(PRIORITIES.map((priority) => [priority, this.urlOf(`${lane}-${priority}`)])),
      ]),
    ) as QueueUrls;
  }

  get deadLetterUrls(): Readonly<Record<LaneName, string>> {
    return { stable: this.urlOf('stable-dead'), candidate: this.urlOf('candidate-dead') };
  }

  /** @param deadLetters name of its dead-letter queue */
  async queue(QueueName: string, VisibilityTimeout = 30, deadLetters?: string): Promise<string> {
    await Resource.of(this.queues.handlers, 'AWS::SQS::Queue', QueueName).create({
      QueueName,
      VisibilityTimeout,
      ...(deadLetters === undefined
        ? {}
        : { RedrivePolicy: { deadLetterTargetArn: this.arnOf(deadLetters), maxReceiveCount: 1_000 } }),
    });
    return this.urlOf(QueueName);
  }

  arnOf(name: string): string {
    return `arn:aws:sqs:us-east-1:123456789012:${name}`;
  }

  /** What an operator does by SQS's own means. */
  async move(from: string, to: string): Promise<void> {
    await this.sqs.send(
      new StartMessageMoveTaskCommand({ SourceArn: this.arnOf(from), DestinationArn: this.arnOf(to) }),
    );
    await this.clock.advance(1_000);
  }

  urlOf(name: string): string {
    return `${this.url}/123456789012/${name}`;
  }

  /** Visible, and in flight. */
  async counts(name: string): Promise<readonly [number, number]> {
    const { Attributes = {} } = await this.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: this.urlOf(name), AttributeNames: ['All'] }),
    );
    return [
      Number(Attributes.ApproximateNumberOfMessages),
      Number(Attributes.ApproximateNumberOfMessagesNotVisible),
    ] as const;
  }

  /** Receives what is visible (up to 10). */
  async receive(name: string, VisibilityTimeout = 30): Promise<readonly Message[]> {
    const { Messages = [] } = await this.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: this.urlOf(name),
        MaxNumberOfMessages: 10,
        VisibilityTimeout,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    );
    return Messages;
  }

  async send(name: string, body: string): Promise<void> {
    await this.sqs.send(new SendMessageCommand({ QueueUrl: this.urlOf(name), MessageBody: body }));
  }

  async delete(name: string, ReceiptHandle: string): Promise<void> {
    await this.sqs.send(new DeleteMessageCommand({ QueueUrl: this.urlOf(name), ReceiptHandle }));
  }

  /** A task that failed at its last attempt. */
  async putTask(changes: Partial<TaskRecord> = {}): Promise<TaskRecord> {
    sequence += 1;
    const now = this.clock.now();
    const task: TaskRecord = {
      id: `t-${sequence.toString(16).padStart(32, '0')}`,
      agent: AGENT,
      status: 'failed',
      mode: 'live',
      lane: 'stable',
      priority: 'normal',
      user: 'user-1',
      requestDigest: 'd',
      input: { question: 'why?' },
      createdAt: now - 60_000,
      startedAt: now - 50_000,
      finishedAt: now - 1_000,
      endedBy: 'token',
      exhausted: true,
      release: RELEASE,
      attempts: 5,
      error: { code: 'provider_error', message: 'the provider answered 500' },
      expiresAt: Math.ceil(now / 1000) + 86_400,
      ...changes,
    };
    await this.documents.send(new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.task(task.id), ...task } }));
    return task;
  }

  /** The task, and its message in the dead-letter queue of its lane. */
  async putDeadTask(changes: Partial<TaskRecord> = {}): Promise<TaskRecord> {
    const task = await this.putTask(changes);
    await this.moveToDeadLetterQueue(task);
    return task;
  }

  async moveToDeadLetterQueue(task: TaskRecord): Promise<void> {
    await this.send(`${task.lane}-dead`, JSON.stringify(envelopeOf(task)));
  }

  async task(id: string): Promise<TaskRecord> {
    const { Item } = await this.documents.send(
      new GetCommand({ TableName: 'tasks', Key: TaskKey.task(id), ConsistentRead: true }),
    );
    return taskRecordSchema.parse(Item);
  }

  async audited(): Promise<readonly Record<string, unknown>[]> {
    const { Items = [] } = await this.documents.send(
      new QueryCommand({
        TableName: 'control',
        KeyConditionExpression: 'pk = :audit',
        ExpressionAttributeValues: { ':audit': ControlKey.audit('', '').pk },
      }),
    );
    return Items;
  }

  async stop(): Promise<void> {
    this.sqs.destroy();
    this.documents.destroy();
    this.secretsManager.destroy();
    await this.rig.stop();
    await this.queues.stop();
    await this.db.stop();
  }
}
