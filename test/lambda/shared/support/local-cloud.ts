import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { Env } from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { type HttpStub, type StubAnswer, type StubRequest, startStub } from '../../worker/support/http-stub';

/** Tables on dynalite, and one server in place of every other service: what a bundle talks to. */
export class LocalCloud {
  /** Answers of the other services by operation (`AmazonSQS.SendMessage`), path, or start of a path; absent: 404. */
  answers: Readonly<Record<string, (request: StubRequest) => StubAnswer | Promise<StubAnswer>>> = {};
  readonly #before = process.env;

  readonly #dynamodb: LocalDynamoDb;

  private constructor(
    dynamodb: LocalDynamoDb,
    readonly services: HttpStub,
  ) {
    this.#dynamodb = dynamodb;
  }

  static async start(settings: Readonly<Record<string, string>> = {}): Promise<LocalCloud> {
    const dynamodb = await startDynamoDb(['tasks', 'control']);
    const services = await startStub((request) => {
      const operation = String(request.headers['x-amz-target'] ?? request.path.split('?')[0]);
      const start = Object.keys(cloud.answers).find((one) => one.startsWith('/') && operation.startsWith(one));
      const answer = cloud.answers[operation] ?? cloud.answers[start ?? ''];
      return answer?.(request) ?? { status: 404, body: { message: `not stubbed: ${operation}` } };
    });
    const cloud = new LocalCloud(dynamodb, services);
    // The SDK sends a message to the host of the queue's URL.
    const queues = Object.fromEntries(['high', 'normal', 'low'].map((name) => [name, `${services.endpoint}/${name}`]));
    process.env = {
      ...process.env,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL: services.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
      AWS_LAMBDA_FUNCTION_NAME: 'router',
      POWERTOOLS_LOG_LEVEL: 'CRITICAL',
      [Env.AGENT]: 'support',
      [Env.RELEASE]: 'r-0123456789ab',
      [Env.AUTH]: 'iam',
      [Env.TASKS_TABLE]: 'tasks',
      [Env.CONTROL_TABLE]: 'control',
      [Env.QUEUES]: JSON.stringify({ stable: queues, candidate: queues }),
      [Env.TASK_RETENTION_DAYS]: '7',
      [Env.PAYLOAD_BUCKET]: 'payloads',
      [Env.BACKLOG_LIMITS]: JSON.stringify({ high: 3_600, normal: 900, low: 300 }),
      // Cloud time runs fast: waits of minutes are over in a moment.
      [Env.CLOCK]: JSON.stringify({ realEpochMs: Date.now(), cloudEpochMs: Date.now(), speed: 600 }),
      ...settings,
    };
    return cloud;
  }

  get tables() {
    return documentClient(this.#dynamodb.client);
  }

  requestsOf(operation: string): readonly StubRequest[] {
    return this.services.requests.filter(
      ({ headers, path }) => headers['x-amz-target'] === operation || path.split('?')[0] === operation,
    );
  }

  async close(): Promise<void> {
    process.env = this.#before;
    await this.#dynamodb.close();
    await this.services.close();
  }
}

/** What SQS answers to a message: the SDK checks the digest. */
export function messageSent({ body }: StubRequest): StubAnswer {
  const { MessageBody } = body as { MessageBody: string };
  return { body: { MessageId: 'm-1', MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex') } };
}

/** The handler in the bundle, as Lambda would load it. */
export function bundledHandler(name: string): (event: unknown, context?: unknown) => Promise<unknown> {
  return require(join(__dirname, '../../../../assets', name, 'index.js')).handler;
}

export const QUEUE_SIZES = 'AmazonSQS.GetQueueAttributes';
export const METRIC_DATA = 'GraniteServiceVersion20100801.GetMetricData';

/** What SQS and CloudWatch answer while every queue holds the given messages, with the given age of the oldest. */
export function crowded(waiting: number, oldestSeconds: number): LocalCloud['answers'] {
  return {
    [QUEUE_SIZES]: () => ({ body: { Attributes: { ApproximateNumberOfMessages: String(waiting) } } }),
    [METRIC_DATA]: ({ body }) => ({
      body: {
        MetricDataResults: (body as { MetricDataQueries: { Id: string }[] }).MetricDataQueries.map(({ Id }) => ({
          Id,
          Timestamps: [60, 0],
          Values: [oldestSeconds, 1],
        })),
      },
    }),
  };
}
