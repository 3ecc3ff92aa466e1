import {
  GetQueueAttributesCommand,
  type Message,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import {
  type Envelope,
  LANES,
  type LaneName,
  PRIORITIES,
  type Priority,
  type TaskRecord,
} from '../../../../../lib/contract';
import { ApiServer } from '../../../../../rehearsal/api-server';
import type { RehearsalClock } from '../../../../../rehearsal/core/clock';
import { OPERATOR_CREDENTIALS } from '../../../../../rehearsal/core/principal';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../../../../rehearsal/core/resource';
import { createIam } from '../../../../../rehearsal/services/iam';
import { createSqs, type QueueView, type Sqs } from '../../../../../rehearsal/services/sqs';
import { AGENT } from '../../../worker/support/task-cloud';

/** The rehearsal's SQS on the wire, with the queues of both lanes. */
export class LaneQueues {
  static async start(clock: RehearsalClock): Promise<LaneQueues> {
    const { iam } = createIam();
    const apiServer = await ApiServer.start({ iam });
    const metrics = {
      put: () => undefined,
      ingestLogLine: () => undefined,
      alarm: () => undefined,
      alarms: () => [],
    };
    const sqs = createSqs({ clock, metrics, iam, endpointUrl: () => apiServer.url });
    apiServer.add(sqs.service);
    const queues = new LaneQueues(apiServer, sqs);
    for (const lane of LANES) {
      for (const name of [...PRIORITIES, 'dead']) {
        await queues.#create(clock, `${lane}-${name}`);
      }
    }
    return queues;
  }

  readonly client: SQSClient;

  readonly #apiServer: ApiServer;
  readonly #sqs: Sqs;

  private constructor(apiServer: ApiServer, sqs: Sqs) {
    this.#apiServer = apiServer;
    this.#sqs = sqs;
    this.client = new SQSClient({
      endpoint: apiServer.url,
      region: REHEARSAL_REGION,
      credentials: OPERATOR_CREDENTIALS,
      maxAttempts: 1,
    });
  }

  get endpoint(): string {
    return this.#apiServer.url;
  }

  url(queue: string): string {
    return `${this.#apiServer.url}/${REHEARSAL_ACCOUNT}/${queue}`;
  }

  /** By priority. */
  urls(lane: LaneName): Record<Priority, string> {
    const [high = '', normal = '', low = ''] = PRIORITIES.map((priority) => this.url(`${lane}-${priority}`));
    return { high, normal, low };
  }

  /** Calls over the wire so far, by `sqs.Operation`. */
  calls(): Readonly<Record<string, number>> {
    return this.#apiServer.counts();
  }

  /** Puts a message of the task into its queue. */
  async send(task: TaskRecord): Promise<void> {
    const envelope: Envelope = {
      version: 1,
      agent: AGENT,
      taskId: task.id,
      lane: task.lane,
      priority: task.priority,
      mode: task.mode,
      user: task.user,
    };
    await this.sendText(`${task.lane}-${task.priority}`, JSON.stringify(envelope));
  }

  async sendText(queue: string, text: string): Promise<void> {
    await this.client.send(new SendMessageCommand({ QueueUrl: this.url(queue), MessageBody: text }));
  }

  async receive(queue: string): Promise<readonly Message[]> {
    const { Messages = [] } = await this.client.send(
      new ReceiveMessageCommand({
        QueueUrl: this.url(queue),
        MaxNumberOfMessages: 10,
        MessageSystemAttributeNames: ['All'],
      }),
    );
    return Messages;
  }

  async attributes(queue: string): Promise<Readonly<Record<string, string>>> {
    const { Attributes = {} } = await this.client.send(
      new GetQueueAttributesCommand({ QueueUrl: this.url(queue), AttributeNames: ['All'] }),
    );
    return Attributes;
  }

  view(queue: string): QueueView {
    const found = this.#sqs.queues().find(({ name }) => name === queue);
    if (found === undefined) {
      throw new Error(`no queue ${queue}`);
    }
    return found;
  }

  /** Messages in all queues of the lane but the dead letters, visible or not. */
  left(lane: LaneName): number {
    return PRIORITIES.map((priority) => this.view(`${lane}-${priority}`)).reduce(
      (sum, { visible, notVisible, delayed }) => sum + visible + notVisible + delayed,
      0,
    );
  }

  /** Forgets every message. */
  async purge(): Promise<void> {
    for (const { url, visible, notVisible, delayed } of this.#sqs.queues()) {
      if (visible + notVisible + delayed > 0) {
        await this.client.send(new PurgeQueueCommand({ QueueUrl: url }));
      }
    }
  }

  async #create(clock: RehearsalClock, name: string): Promise<void> {
    const handler = this.#sqs.handlers.find(({ type }) => type === 'AWS::SQS::Queue');
    await handler?.create({
      stack: {
        stackName: 'Test',
        stackId: 'stack',
        region: REHEARSAL_REGION,
        account: REHEARSAL_ACCOUNT,
        partition: 'aws',
        assemblyDirectory: '/nowhere',
        clock,
      },
      logicalId: name,
      path: name,
      // As long as the worker's timeout and a margin: containers ask for less at each receive.
      properties: { QueueName: name, VisibilityTimeout: 120 },
      report: () => {},
    });
  }

  async close(): Promise<void> {
    this.client.destroy();
    await this.#sqs.stop();
    await this.#apiServer.stop();
  }
}
