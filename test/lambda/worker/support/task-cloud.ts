import { createHash } from 'node:crypto';
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import {
  type BehaviorDocument,
  ControlKey,
  DEFAULT_MODEL_POLICY,
  Env,
  type Envelope,
  LANES,
  type LaneName,
  PRIORITIES,
  type RolloutItem,
  SessionKey,
  TaskKey,
  type TaskRecord,
  taskRecordSchema,
} from '../../../../lib/contract';
import { startDynamoDb } from '../../../support/local-dynamodb';
import { type HttpStub, type StubAnswer, type StubRequest, startStub } from './http-stub';
import { Wire } from './scripted-network';

export const AGENT = 'support';
export const RELEASE = 'r-0123456789ab';
export const TASKS = 'tasks';
export const SESSIONS = 'sessions';
export const CONTROL = 'control';
export const PAYLOADS = 'payloads';
export const WEBHOOKS = 'webhooks';
export const KEY_ARN = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf';
export const KEY = 'sk-stub-0123456789';

export function behaviorDocument(changes: Partial<BehaviorDocument> = {}): BehaviorDocument {
  const digest = '0'.repeat(64);
  return {
    schema: 1,
    release: RELEASE,
    manifest: {
      schema: 1,
      components: {
        prompts: digest,
        tools: digest,
        model: digest,
        limits: digest,
        state: digest,
        code: digest,
        worker: digest,
        library: digest,
      },
    },
    prompts: { hello: 'Hello {{name}}' },
    tools: { search: { type: 'object', properties: { q: { type: 'string' } }, required: ['q'] } },
    model: {
      provider: 'anthropic',
      id: 'claude-haiku-4-5-20251001',
      secret: 'anthropic',
      maxTokens: 500,
      timeoutMs: 2_000,
      price: { inputPerMillion: 1, outputPerMillion: 5 },
    },
    fallbacks: [],
    modelPolicy: { ...DEFAULT_MODEL_POLICY, attempts: 1 },
    limits: { maxToolCalls: 5, maxModelCalls: 3, maxSteps: 200, maxTokens: 10_000, maxCost: 1, maxDurationMs: 5_000 },
    stateSchema: 1,
    ...changes,
  };
}

/** A message of the provider, as the Messages API sends it. */
export function modelMessage(text: string, usage = { input_tokens: 100, output_tokens: 20 }) {
  return {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-haiku-4-5-20251001',
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage,
  };
}

export function modelError(status: number, type: string, message: string): StubAnswer {
  return { status, body: { type: 'error', error: { type, message } } };
}

let sequence = 0;

/** A call of SQS, as the worker made it. */
export interface QueueCall {
  readonly operation: 'SendMessage' | 'ChangeMessageVisibility';
  /** Last part of the queue's URL: `<lane>-<priority>`, `<lane>-dead` or {@link WEBHOOKS}. */
  readonly queue: string;
  readonly input: {
    readonly MessageBody?: string;
    readonly MessageGroupId?: string;
    readonly MessageAttributes?: Record<string, { readonly StringValue?: string }>;
    readonly MessageSystemAttributes?: Record<string, { readonly StringValue?: string }>;
    readonly ReceiptHandle?: string;
    readonly VisibilityTimeout?: number;
  };
}

/**
 * What a worker speaks to: DynamoDB, S3, SQS, Secrets Manager and the model provider, all on the wire, all in this
 * process.
 */
export class TaskCloud {
  /** Objects of the payload bucket by key. */
  readonly payloads = new Map<string, string>();
  /** What the payload bucket answers instead, if it is away. */
  payloadRefusal: StubAnswer | undefined;
  /** Calls of SQS that were answered with success. */
  readonly queueCalls: QueueCall[] = [];
  /** Answers that tests replace; `sqs` gives undefined for success. */
  sqs: (call: QueueCall) => StubAnswer | undefined = () => undefined;
  s3: (request: StubRequest) => StubAnswer | Promise<StubAnswer> = () => ({ body: behaviorDocument() });
  secrets: (request: StubRequest) => StubAnswer = () => ({ body: { ARN: KEY_ARN, SecretString: KEY } });
  model: (request: StubRequest) => StubAnswer | Promise<StubAnswer> = () => ({ body: modelMessage('fine') });

  readonly #dynamoDb: Awaited<ReturnType<typeof startDynamoDb>>;

  private constructor(
    readonly documents: DynamoDBDocumentClient,
    readonly stubs: {
      readonly s3: HttpStub;
      readonly sqs: HttpStub;
      readonly secrets: HttpStub;
      readonly model: HttpStub;
    },
    dynamoDb: Awaited<ReturnType<typeof startDynamoDb>>,
    /** Between the workers and DynamoDB. */
    readonly wire: Wire,
  ) {
    this.#dynamoDb = dynamoDb;
  }

  static async start(): Promise<TaskCloud> {
    const dynamoDb = await startDynamoDb([TASKS, SESSIONS, CONTROL]);
    const answers: { cloud?: TaskCloud } = {};
    const ready = () => {
      if (answers.cloud === undefined) {
        throw new Error('the cloud is not up yet');
      }
      return answers.cloud;
    };
    const cloud = new TaskCloud(
      documentClient(dynamoDb.client),
      {
        s3: await startStub((request) => ready().#object(request)),
        sqs: await startStub((request) => ready().#queue(request)),
        secrets: await startStub((request) => ready().secrets(request)),
        model: await startStub((request) => ready().model(request)),
      },
      dynamoDb,
      await Wire.to(dynamoDb.endpoint),
    );
    answers.cloud = cloud;
    return cloud;
  }

  /** Restores the good answers and forgets the requests. */
  reset(): void {
    this.s3 = () => ({ body: behaviorDocument() });
    this.secrets = () => ({ body: { ARN: KEY_ARN, SecretString: KEY } });
    this.model = () => ({ body: modelMessage('fine') });
    this.sqs = () => undefined;
    this.queueCalls.length = 0;
    this.payloads.clear();
    this.wire.calls.length = 0;
    this.wire.fault = () => undefined;
    this.payloadRefusal = undefined;
    for (const stub of Object.values(this.stubs)) {
      stub.requests.length = 0;
    }
  }

  /** Environment of a worker function in this cloud. */
  environment(changes: Record<string, string | undefined> = {}): Record<string, string | undefined> {
    return {
      [Env.AGENT]: AGENT,
      [Env.RELEASE]: RELEASE,
      [Env.TASKS_TABLE]: TASKS,
      [Env.SESSIONS_TABLE]: SESSIONS,
      [Env.BEHAVIOR_BUCKET]: 'assets',
      [Env.BEHAVIOR_KEY]: 'behavior.json',
      [Env.SECRETS]: JSON.stringify({ anthropic: KEY_ARN }),
      [Env.TASK_RETENTION_DAYS]: '7',
      [Env.CONTROL_TABLE]: CONTROL,
      [Env.PAYLOAD_BUCKET]: PAYLOADS,
      [Env.QUEUES]: JSON.stringify(
        this.#urls((lane) =>
          Object.fromEntries(PRIORITIES.map((priority) => [priority, this.#url(`${lane}-${priority}`)])),
        ),
      ),
      [Env.DEAD_LETTER_QUEUES]: JSON.stringify(this.#urls((lane) => this.#url(`${lane}-dead`))),
      [Env.WEBHOOK_QUEUE]: this.#url(WEBHOOKS),
      [Env.MAX_ATTEMPTS]: '3',
      [Env.MAX_RECEIVES]: '20',
      [Env.WORKER_TIMEOUT_SECONDS]: '60',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL_DYNAMODB: this.wire.endpoint,
      AWS_ENDPOINT_URL_SQS: this.stubs.sqs.endpoint,
      AWS_ENDPOINT_URL_S3: this.stubs.s3.endpoint,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: this.stubs.secrets.endpoint,
      ANTHROPIC_BASE_URL: this.stubs.model.endpoint,
      ...changes,
    };
  }

  async putTask(changes: Partial<TaskRecord> = {}): Promise<TaskRecord> {
    sequence += 1;
    const now = Date.now();
    const task: TaskRecord = {
      id: `t-${sequence.toString(16).padStart(32, '0')}`,
      agent: AGENT,
      status: 'queued',
      mode: 'live',
      lane: 'stable',
      priority: 'normal',
      user: 'user-1',
      requestDigest: 'd',
      input: { question: 'why?' },
      createdAt: now - 1_500,
      attempts: 0,
      expiresAt: Math.ceil(now / 1000) + 86_400,
      ...changes,
    };
    await this.documents.send(new PutCommand({ TableName: TASKS, Item: { ...TaskKey.task(task.id), ...task } }));
    return task;
  }

  async task(id: string): Promise<TaskRecord> {
    const { Item } = await this.documents.send(
      new GetCommand({ TableName: TASKS, Key: TaskKey.task(id), ConsistentRead: true }),
    );
    return taskRecordSchema.parse(Item);
  }

  /** Writes the rollout record. */
  async putRollout(rollout: RolloutItem): Promise<void> {
    await this.documents.send(new PutCommand({ TableName: CONTROL, Item: { ...ControlKey.rollout, ...rollout } }));
  }

  /** Bodies of the messages that were sent to the queue. */
  sentTo(queue: string): unknown[] {
    return this.queueCalls.flatMap(({ operation, queue: to, input }) =>
      operation === 'SendMessage' && to === queue ? [JSON.parse(input.MessageBody ?? 'null')] : [],
    );
  }

  /** Times, in seconds, for which messages were hidden. */
  hidden(): number[] {
    return this.queueCalls.flatMap(({ operation, input }) =>
      operation === 'ChangeMessageVisibility' ? [input.VisibilityTimeout ?? Number.NaN] : [],
    );
  }

  async session(session: string): Promise<Record<string, unknown> | undefined> {
    const { Item } = await this.documents.send(
      new GetCommand({ TableName: SESSIONS, Key: SessionKey.state(AGENT, session), ConsistentRead: true }),
    );
    return Item;
  }

  /** Objects of the payload bucket are kept here; what else is asked for the test answers. */
  #object(request: StubRequest): StubAnswer | Promise<StubAnswer> {
    const key = /^\/payloads\/([^?]+)/.exec(request.path)?.[1];
    if (key === undefined) {
      return this.s3(request);
    }
    if (this.payloadRefusal !== undefined) {
      return this.payloadRefusal;
    }
    if (request.method === 'PUT') {
      this.payloads.set(key, request.text);
      return { body: '' };
    }
    const text = this.payloads.get(key);
    return text === undefined
      ? { status: 404, body: '<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>' }
      : { body: text };
  }

  #queue({ headers, body, text }: StubRequest): StubAnswer {
    const operation = String(headers['x-amz-target']).replace('AmazonSQS.', '') as QueueCall['operation'];
    const input = body as QueueCall['input'] & { readonly QueueUrl: string };
    const call: QueueCall = { operation, queue: input.QueueUrl.split('/').at(-1) ?? text, input };
    const answer = this.sqs(call);
    if (answer !== undefined) {
      return answer;
    }
    this.queueCalls.push(call);
    return {
      body: {
        MessageId: 'm',
        MD5OfMessageBody: createHash('md5')
          .update(input.MessageBody ?? '')
          .digest('hex'),
      },
    };
  }

  #urls<T>(of: (lane: LaneName) => T): Record<string, T> {
    return Object.fromEntries(LANES.map((lane) => [lane, of(lane)]));
  }

  #url(queue: string): string {
    return `${this.stubs.sqs.endpoint}/123456789012/${queue}`;
  }

  async close(): Promise<void> {
    await Promise.all([
      ...Object.values(this.stubs).map((stub) => stub.close()),
      this.wire.close(),
      this.#dynamoDb.close(),
    ]);
  }
}

export interface MessageOptions {
  readonly receives?: number;
  readonly lane?: LaneName;
  readonly trace?: string;
  readonly envelope?: Record<string, unknown>;
}

/** An SQS event with one message for the task. */
export function messageFor(task: TaskRecord, options: MessageOptions = {}) {
  const envelope: Envelope = {
    version: 1,
    agent: AGENT,
    taskId: task.id,
    lane: options.lane ?? task.lane,
    priority: task.priority,
    mode: task.mode,
    user: task.user,
  };
  return {
    messageId: `m-${task.id}`,
    receiptHandle: 'handle',
    body: JSON.stringify({ ...envelope, ...options.envelope }),
    attributes: {
      ApproximateReceiveCount: String(options.receives ?? 1),
      SentTimestamp: '0',
      AWSTraceHeader: options.trace,
    },
    messageAttributes: {},
    eventSource: 'aws:sqs',
  };
}

/** Lambda's context, with the given milliseconds left. */
export const context = (remainingMs = 60_000) => ({ getRemainingTimeInMillis: () => remainingMs });
