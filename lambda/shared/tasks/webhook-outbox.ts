import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { TaskRecord, WebhookMessage } from '../../../lib/contract';

/** The queue of webhooks as seen by those who end tasks. */
export class WebhookOutbox {
  readonly #client: SQSClient;
  readonly #url: string;

  constructor(client: SQSClient, url: string) {
    this.#client = client;
    this.#url = url;
  }

  /** Has the task's end told to whom it concerns. Telling twice is harmless: the record says what was delivered. */
  async announce({ agent, id }: Pick<TaskRecord, 'agent' | 'id'>): Promise<void> {
    const message: WebhookMessage = { version: 1, agent, taskId: id };
    await this.#client.send(new SendMessageCommand({ QueueUrl: this.#url, MessageBody: JSON.stringify(message) }));
  }
}

/** Whether the task has a webhook that was neither delivered nor abandoned. */
export function owesWebhook({ webhook, webhookDeliveredAt, webhookAbandonedAt }: TaskRecord): boolean {
  return webhook !== undefined && webhookDeliveredAt === undefined && webhookAbandonedAt === undefined;
}
