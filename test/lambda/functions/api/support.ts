import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { FeedbackStore } from '../../../../lambda/functions/api/feedback-store';
import { answerStatusApi, type StatusApiDeps } from '../../../../lambda/functions/api/status-api';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import type { HttpEvent } from '../../../../lambda/shared/http/http';
import { TaskRepository } from '../../../../lambda/shared/tasks/task-repository';
import { MetricEmitter } from '../../../../lambda/shared/telemetry/emf';
import { type Json, type PayloadRef, TaskKey, type TaskRecord } from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { CapturedLog, FakeClock, START } from '../../shared/support/fakes';

export const RELEASE = 'r-0123456789ab';

export interface Request {
  readonly method?: string;
  readonly id: string;
  readonly path?: string;
  readonly subject?: string;
  readonly body?: unknown;
}

let count = 0;

/** The status API over a table; all else in memory. */
export class TestApi {
  readonly clock = new FakeClock();
  readonly logger = new CapturedLog();
  readonly metricLines: string[] = [];
  readonly announced: string[] = [];
  props: StatusApiDeps;

  private constructor(private readonly dynamodb: LocalDynamoDb) {
    const client = documentClient(dynamodb.client);
    this.props = {
      tasks: new TaskRepository(client, 'tasks'),
      feedback: new FeedbackStore(client, 'tasks'),
      payloads: { get: (ref: PayloadRef): Promise<Json> => Promise.reject(new Error(`not to be asked: ${ref.key}`)) },
      backlog: { current: async () => undefined },
      webhooks: {
        announce: async ({ id }) => {
          this.announced.push(id);
        },
      },
      retentionDays: 7,
      auth: 'iam',
      clock: this.clock,
      logger: this.logger,
      metrics: new MetricEmitter({
        dimensions: { Agent: 'support' },
        clock: this.clock,
        sink: (line) => this.metricLines.push(line),
      }),
    };
  }

  static async start(): Promise<TestApi> {
    return new TestApi(await startDynamoDb(['tasks']));
  }

  /** The repository with some of its methods replaced. */
  tasksWith(changes: Partial<StatusApiDeps['tasks']>): StatusApiDeps['tasks'] {
    const { tasks } = this.props;
    return {
      get: (id) => tasks.get(id),
      cancelQueued: (...args) => tasks.cancelQueued(...args),
      requestCancellation: (...args) => tasks.requestCancellation(...args),
      ...changes,
    };
  }

  /** The same API over the same table, with nothing recorded yet. */
  with(changes: Partial<StatusApiDeps>): TestApi {
    const other = new TestApi(this.dynamodb);
    other.props = { ...other.props, ...changes };
    return other;
  }

  async put(changes: Partial<TaskRecord> = {}): Promise<TaskRecord> {
    count += 1;
    const task: TaskRecord = {
      id: `t-${count.toString(16).padStart(32, '0')}`,
      agent: 'support',
      status: 'queued',
      mode: 'live',
      lane: 'candidate',
      priority: 'low',
      user: 'alice',
      session: 's',
      requestDigest: 'd',
      input: { secret: 'input' },
      createdAt: START,
      attempts: 0,
      expiresAt: START / 1000 + 60,
      ...changes,
    };
    await this.write(task);
    return task;
  }

  async write(task: TaskRecord): Promise<void> {
    await documentClient(this.dynamodb.client).send(
      new PutCommand({ TableName: 'tasks', Item: { ...TaskKey.task(task.id), ...task } }),
    );
  }

  async task(id: string): Promise<TaskRecord | undefined> {
    return await new TaskRepository(documentClient(this.dynamodb.client), 'tasks').get(id);
  }

  async ask({ method = 'GET', id, path = `/tasks/${id}`, subject, body }: Request) {
    const event: HttpEvent = {
      rawPath: path,
      pathParameters: { id },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      requestContext: {
        http: { method, path },
        ...(subject === undefined ? {} : { authorizer: { jwt: { claims: { sub: subject } } } }),
      },
    };
    const response = await answerStatusApi(event, this.props);
    const text = response.isBase64Encoded ? Buffer.from(response.body, 'base64').toString() : response.body;
    return { response, status: response.statusCode, body: JSON.parse(text) };
  }

  /** What was emitted: metric → value, with the dimension sets. */
  get metrics(): Record<string, unknown>[] {
    return this.metricLines.map((line) => {
      const { _aws, ...values } = JSON.parse(line);
      return { ...values, sets: _aws.CloudWatchMetrics[0].Dimensions };
    });
  }

  close(): Promise<void> {
    return this.dynamodb.close();
  }
}
