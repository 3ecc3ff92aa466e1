import { z } from 'zod';
import { type Call, type RequiredPermission, ServiceError } from '../../core/service';
import {
  attributesSize,
  checkMessageAttributes,
  md5OfAttributes,
  messageAttributeSchema,
  selectAttributes,
} from './message-attributes';
import { queueArn, queueNameOfUrl } from './model';
import type { MoveTasks } from './move-tasks';
import type { Delivery, Queue } from './queue';
import type { Queues } from './queues';

/** Largest message, and largest sum of a batch. @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html */
const MAX_BYTES = 1_048_576;
const MAX_DELAY_SECONDS = 900;
const MAX_VISIBILITY_SECONDS = 43_200;
const MAX_BATCH = 10;
const MAX_WAIT_SECONDS = 20;
/** What XML 1.0 cannot carry, SQS refuses. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to be refused
const FORBIDDEN_CHARACTERS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const GROUP_ID = /^[\x21-\x7e]{1,128}$/;
const ENTRY_ID = /^[A-Za-z0-9_-]{1,80}$/;

const attributes = z.record(z.string(), messageAttributeSchema);
const queueUrl = z.looseObject({ QueueUrl: z.string() });
const messageFields = {
  MessageBody: z.string().optional(),
  DelaySeconds: z.number().optional(),
  MessageAttributes: attributes.optional(),
  MessageSystemAttributes: attributes.optional(),
  MessageGroupId: z.string().optional(),
  MessageDeduplicationId: z.string().optional(),
};
const message = z.object(messageFields);
type MessageInput = z.infer<typeof message>;

const inputs = {
  SendMessage: z.object({ QueueUrl: z.string(), ...messageFields }),
  SendMessageBatch: z.object({
    QueueUrl: z.string(),
    Entries: z.array(z.object({ Id: z.string(), ...messageFields })),
  }),
  ReceiveMessage: z.object({
    QueueUrl: z.string(),
    MaxNumberOfMessages: z.number().optional(),
    VisibilityTimeout: z.number().optional(),
    WaitTimeSeconds: z.number().optional(),
    AttributeNames: z.array(z.string()).optional(),
    MessageSystemAttributeNames: z.array(z.string()).optional(),
    MessageAttributeNames: z.array(z.string()).optional(),
  }),
  DeleteMessage: z.object({ QueueUrl: z.string(), ReceiptHandle: z.string() }),
  DeleteMessageBatch: z.object({
    QueueUrl: z.string(),
    Entries: z.array(z.object({ Id: z.string(), ReceiptHandle: z.string() })),
  }),
  ChangeMessageVisibility: z.object({ QueueUrl: z.string(), ReceiptHandle: z.string(), VisibilityTimeout: z.number() }),
  ChangeMessageVisibilityBatch: z.object({
    QueueUrl: z.string(),
    Entries: z.array(z.object({ Id: z.string(), ReceiptHandle: z.string(), VisibilityTimeout: z.number().optional() })),
  }),
  GetQueueAttributes: z.object({ QueueUrl: z.string(), AttributeNames: z.array(z.string()).optional() }),
  GetQueueUrl: z.object({ QueueName: z.string() }),
  ListQueues: z.object({ QueueNamePrefix: z.string().optional() }),
  PurgeQueue: queueUrl,
  StartMessageMoveTask: z.object({
    SourceArn: z.string(),
    DestinationArn: z.string().optional(),
    MaxNumberOfMessagesPerSecond: z.number().optional(),
  }),
  ListMessageMoveTasks: z.object({ SourceArn: z.string(), MaxResults: z.number().optional() }),
  CancelMessageMoveTask: z.object({ TaskHandle: z.string() }),
} as const;

export type SqsOperation = keyof typeof inputs;
export const SQS_OPERATIONS = Object.keys(inputs) as SqsOperation[];

/** IAM has one action for an operation and its batch. */
const BATCHES: Readonly<Record<string, string>> = {
  SendMessageBatch: 'SendMessage',
  DeleteMessageBatch: 'DeleteMessage',
  ChangeMessageVisibilityBatch: 'ChangeMessageVisibility',
};

/** The operations of the SQS API on standard queues. */
export class SqsOperations {
  readonly #queues: Queues;
  readonly #moves: MoveTasks;

  constructor(queues: Queues, moves: MoveTasks) {
    this.#queues = queues;
    this.#moves = moves;
  }

  /** @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html */
  authorize(call: Call): readonly RequiredPermission[] {
    const action = `sqs:${BATCHES[call.operation] ?? call.operation}`;
    const text = (member: string) => {
      const value = call.input[member];
      return typeof value === 'string' ? value : '';
    };
    switch (call.operation) {
      case 'ListQueues':
        return [{ action, resource: queueArn('*') }];
      case 'GetQueueUrl':
        return [{ action, resource: queueArn(text('QueueName')) }];
      case 'StartMessageMoveTask': {
        const source = text('SourceArn');
        const target = text('DestinationArn');
        const sourceQueue = this.#queues.byArn(source);
        const targets =
          target !== ''
            ? [target]
            : sourceQueue === undefined
              ? []
              : this.#queues.sourcesOf(sourceQueue).map((queue) => queue.arn);
        return [
          ...[action, 'sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'].map((needed) => ({
            action: needed,
            resource: source,
          })),
          ...targets.map((resource) => ({ action: 'sqs:SendMessage', resource })),
        ];
      }
      case 'ListMessageMoveTasks':
        return [{ action, resource: text('SourceArn') }];
      case 'CancelMessageMoveTask':
        return [{ action, resource: this.#moves.sourceArnOf(text('TaskHandle')) ?? queueArn('*') }];
      default:
        return this.#onQueue(action, text('QueueUrl'));
    }
  }

  /** @throws ServiceError as SQS would */
  async handle(call: Call): Promise<unknown> {
    switch (call.operation as SqsOperation) {
      case 'SendMessage':
        return this.#sendMessage(call, parse('SendMessage', call));
      case 'SendMessageBatch':
        return this.#sendMessageBatch(call, parse('SendMessageBatch', call));
      case 'ReceiveMessage':
        return this.#receiveMessage(call, parse('ReceiveMessage', call));
      case 'DeleteMessage': {
        const input = parse('DeleteMessage', call);
        deleteOne(this.#queues.atUrl(input.QueueUrl), input.ReceiptHandle);
        return {};
      }
      case 'DeleteMessageBatch': {
        const input = parse('DeleteMessageBatch', call);
        const queue = this.#queues.atUrl(input.QueueUrl);
        return batch(input.Entries, (entry) => {
          deleteOne(queue, entry.ReceiptHandle);
          return { Id: entry.Id };
        });
      }
      case 'ChangeMessageVisibility': {
        const input = parse('ChangeMessageVisibility', call);
        changeOne(this.#queues.atUrl(input.QueueUrl), input.ReceiptHandle, input.VisibilityTimeout);
        return {};
      }
      case 'ChangeMessageVisibilityBatch': {
        const input = parse('ChangeMessageVisibilityBatch', call);
        const queue = this.#queues.atUrl(input.QueueUrl);
        return batch(input.Entries, (entry) => {
          changeOne(queue, entry.ReceiptHandle, entry.VisibilityTimeout ?? 0);
          return { Id: entry.Id };
        });
      }
      case 'GetQueueAttributes': {
        const input = parse('GetQueueAttributes', call);
        return { Attributes: attributesOf(this.#queues.atUrl(input.QueueUrl), input.AttributeNames ?? []) };
      }
      case 'GetQueueUrl':
        return { QueueUrl: this.#queues.urlOf(this.#queues.named(parse('GetQueueUrl', call).QueueName)) };
      case 'ListQueues': {
        const prefix = parse('ListQueues', call).QueueNamePrefix ?? '';
        const urls = [...this.#queues.all()]
          .filter((queue) => queue.name.startsWith(prefix))
          .map((q) => this.#queues.urlOf(q));
        return { QueueUrls: urls };
      }
      case 'PurgeQueue':
        this.#queues.atUrl(parse('PurgeQueue', call).QueueUrl).purge();
        return {};
      case 'StartMessageMoveTask': {
        const input = parse('StartMessageMoveTask', call);
        return {
          TaskHandle: this.#moves.start(input.SourceArn, input.DestinationArn, input.MaxNumberOfMessagesPerSecond),
        };
      }
      case 'ListMessageMoveTasks': {
        const input = parse('ListMessageMoveTasks', call);
        const max = within('MaxResults', input.MaxResults ?? 1, 1, 10);
        return { Results: this.#moves.list(input.SourceArn, max) };
      }
      case 'CancelMessageMoveTask':
        return {
          ApproximateNumberOfMessagesMoved: this.#moves.cancel(parse('CancelMessageMoveTask', call).TaskHandle),
        };
    }
  }

  #onQueue(action: string, url: string): readonly RequiredPermission[] {
    const name = queueNameOfUrl(url);
    if (name === undefined) {
      // The call will be answered with InvalidAddress; nothing can be read by it.
      return [];
    }
    const permissions: RequiredPermission[] = [{ action, resource: queueArn(name) }];
    const key = this.#queues.byArn(queueArn(name))?.settings.kmsKeyArn;
    if (key !== undefined && action === 'sqs:SendMessage') {
      permissions.push({ action: 'kms:GenerateDataKey', resource: key }, { action: 'kms:Decrypt', resource: key });
    } else if (key !== undefined && action === 'sqs:ReceiveMessage') {
      permissions.push({ action: 'kms:Decrypt', resource: key });
    }
    return permissions;
  }

  #sendMessage(call: Call, input: z.infer<typeof inputs.SendMessage>): Record<string, unknown> {
    return sendOne(this.#queues.atUrl(input.QueueUrl), input, senderOf(call));
  }

  #sendMessageBatch(call: Call, input: z.infer<typeof inputs.SendMessageBatch>): Record<string, unknown> {
    const queue = this.#queues.atUrl(input.QueueUrl);
    const total = input.Entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    if (total > MAX_BYTES) {
      throw new ServiceError(
        'BatchRequestTooLong',
        `Batch requests cannot be longer than ${MAX_BYTES} bytes. You have sent ${total} bytes.`,
      );
    }
    return batch(input.Entries, (entry) => ({ Id: entry.Id, ...sendOne(queue, entry, senderOf(call)) }));
  }

  async #receiveMessage(call: Call, input: z.infer<typeof inputs.ReceiveMessage>): Promise<unknown> {
    const queue = this.#queues.atUrl(input.QueueUrl);
    const options = {
      max: within('MaxNumberOfMessages', input.MaxNumberOfMessages ?? 1, 1, MAX_BATCH),
      ...(input.VisibilityTimeout === undefined
        ? {}
        : {
            visibilityTimeoutSeconds: within('VisibilityTimeout', input.VisibilityTimeout, 0, MAX_VISIBILITY_SECONDS),
          }),
    };
    const wait = within(
      'WaitTimeSeconds',
      input.WaitTimeSeconds ?? queue.settings.receiveWaitSeconds,
      0,
      MAX_WAIT_SECONDS,
    );
    const deliveries = await queue.receiveWaiting(options, wait * 1000, call.signal);
    if (deliveries.length === 0) {
      return {};
    }
    const system = [...(input.AttributeNames ?? []), ...(input.MessageSystemAttributeNames ?? [])];
    return { Messages: deliveries.map((delivery) => onWire(delivery, system, input.MessageAttributeNames ?? [])) };
  }
}

function parse<O extends SqsOperation>(operation: O, call: Call): z.infer<(typeof inputs)[O]> {
  const parsed = inputs[operation].safeParse(call.input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const member = issue?.path.join('.') ?? '';
    throw issue?.code === 'invalid_type' && member !== '' && call.input[member] === undefined
      ? new ServiceError('MissingParameter', `The request must contain the parameter ${member}.`)
      : new ServiceError('InvalidParameterValue', `${operation}: ${member}: ${issue?.message ?? 'not valid'}`);
  }
  return parsed.data as z.infer<(typeof inputs)[O]>;
}

function within(parameter: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new ServiceError(
      'InvalidParameterValue',
      `Value ${value} for parameter ${parameter} is invalid. Reason: Must be between ${min} and ${max}, if provided.`,
    );
  }
  return value;
}

function sizeOf(input: MessageInput): number {
  return Buffer.byteLength(input.MessageBody ?? '') + attributesSize(input.MessageAttributes ?? {});
}

interface Sender {
  readonly label: string;
  /** Header of the request: clients that run in a traced function send it by themselves. */
  readonly traceHeader: string | undefined;
}

function senderOf({ principal, headers }: Call): Sender {
  return { label: principal.label, traceHeader: headers['x-amzn-trace-id'] };
}

function sendOne(queue: Queue, input: MessageInput, sender: Sender): Record<string, unknown> {
  const body = input.MessageBody ?? '';
  if (body === '') {
    throw new ServiceError('MissingParameter', 'The request must contain the parameter MessageBody.');
  }
  if (FORBIDDEN_CHARACTERS.test(body)) {
    throw new ServiceError('InvalidMessageContents', 'Invalid characters found.');
  }
  const custom = input.MessageAttributes ?? {};
  checkMessageAttributes(custom);
  const size = sizeOf(input);
  const limit = queue.settings.maximumMessageSize;
  if (size > limit) {
    throw new ServiceError(
      'InvalidParameterValue',
      `One or more parameters are invalid. Reason: Message must be shorter than ${limit} bytes.`,
    );
  }
  if (input.MessageDeduplicationId !== undefined) {
    throw new ServiceError(
      'InvalidParameterValue',
      `Value ${input.MessageDeduplicationId} for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type.`,
    );
  }
  if (input.MessageGroupId !== undefined && !GROUP_ID.test(input.MessageGroupId)) {
    throw new ServiceError(
      'InvalidParameterValue',
      `Value ${input.MessageGroupId} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
    );
  }
  // The attribute names the trace where the header cannot. https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html
  const traceHeader = traceHeaderOf(input) ?? sender.traceHeader;
  const sent = queue.send(
    {
      body,
      attributes: custom,
      senderId: `AROAREHEARSAL:${sender.label}`,
      groupId: input.MessageGroupId,
      traceHeader,
      ...(input.DelaySeconds === undefined
        ? {}
        : { delaySeconds: within('DelaySeconds', input.DelaySeconds, 0, MAX_DELAY_SECONDS) }),
    },
    size,
  );
  const md5OfCustom = md5OfAttributes(custom);
  const md5OfSystem = md5OfAttributes(input.MessageSystemAttributes ?? {});
  return {
    MessageId: sent.messageId,
    MD5OfMessageBody: sent.md5OfBody,
    MD5OfMessageAttributes: md5OfCustom,
    MD5OfMessageSystemAttributes: md5OfSystem,
  };
}

function traceHeaderOf(input: MessageInput): string | undefined {
  for (const [name, attribute] of Object.entries(input.MessageSystemAttributes ?? {})) {
    if (name !== 'AWSTraceHeader' || attribute.DataType !== 'String') {
      throw new ServiceError(
        'InvalidParameterValue',
        `Value for parameter MessageSystemAttribute is invalid. Reason: ${name} of type ${attribute.DataType} is not supported, expected AWSTraceHeader of type String.`,
      );
    }
    return attribute.StringValue;
  }
  return undefined;
}

function deleteOne(queue: Queue, receiptHandle: string): void {
  if (queue.delete(receiptHandle) !== undefined) {
    throw handleInvalid(receiptHandle);
  }
}

function changeOne(queue: Queue, receiptHandle: string, seconds: number): void {
  const problem = queue.changeVisibility(
    receiptHandle,
    within('VisibilityTimeout', seconds, 0, MAX_VISIBILITY_SECONDS),
  );
  switch (problem) {
    case undefined:
      return;
    case 'malformed':
      throw handleInvalid(receiptHandle);
    case 'not_in_flight':
      throw new ServiceError('MessageNotInflight', 'The specified message is not in flight.');
    case 'deleted':
      throw new ServiceError(
        'InvalidParameterValue',
        `Value ${receiptHandle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
      );
    case 'too_long':
      throw new ServiceError(
        'InvalidParameterValue',
        `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [${MAX_VISIBILITY_SECONDS} seconds].`,
      );
  }
}

function handleInvalid(receiptHandle: string): ServiceError {
  return new ServiceError(
    'ReceiptHandleIsInvalid',
    `The input receipt handle "${receiptHandle}" is not a valid receipt handle.`,
    404,
  );
}

/** Runs each entry by itself: one that fails is reported and does not concern the others. */
function batch<E extends { readonly Id: string }>(
  entries: readonly E[],
  one: (entry: E) => Record<string, unknown>,
): Record<string, unknown> {
  if (entries.length === 0) {
    throw new ServiceError('EmptyBatchRequest', 'There should be at least one batch entry in the request.');
  }
  if (entries.length > MAX_BATCH) {
    throw new ServiceError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${MAX_BATCH}. You have sent ${entries.length}.`,
    );
  }
  const ids = new Set<string>();
  for (const { Id } of entries) {
    if (!ENTRY_ID.test(Id)) {
      throw new ServiceError(
        'InvalidBatchEntryId',
        `A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long. Got "${Id}".`,
      );
    }
    if (ids.has(Id)) {
      throw new ServiceError('BatchEntryIdsNotDistinct', `Id ${Id} repeated.`);
    }
    ids.add(Id);
  }
  const Successful: Record<string, unknown>[] = [];
  const Failed: Record<string, unknown>[] = [];
  for (const entry of entries) {
    try {
      Successful.push(one(entry));
    } catch (error) {
      if (!(error instanceof ServiceError)) {
        throw error;
      }
      Failed.push({ Id: entry.Id, SenderFault: error.status < 500, Code: error.code, Message: error.message });
    }
  }
  return { Successful, ...(Failed.length === 0 ? {} : { Failed }) };
}

function onWire(delivery: Delivery, system: readonly string[], custom: readonly string[]): Record<string, unknown> {
  const systemAttributes = Object.fromEntries(
    Object.entries(delivery.systemAttributes).filter(([name]) => system.includes('All') || system.includes(name)),
  );
  const attributes = selectAttributes(delivery.attributes, custom);
  const md5 = md5OfAttributes(attributes);
  return {
    MessageId: delivery.messageId,
    ReceiptHandle: delivery.receiptHandle,
    MD5OfBody: delivery.md5OfBody,
    Body: delivery.body,
    ...(Object.keys(systemAttributes).length === 0 ? {} : { Attributes: systemAttributes }),
    ...(md5 === undefined ? {} : { MD5OfMessageAttributes: md5, MessageAttributes: attributes }),
  };
}

function attributesOf(queue: Queue, names: readonly string[]): Record<string, string> {
  const sizes = queue.sizes();
  const { settings } = queue;
  const all: Record<string, string> = {
    QueueArn: queue.arn,
    ApproximateNumberOfMessages: String(sizes.visible),
    ApproximateNumberOfMessagesNotVisible: String(sizes.notVisible),
    ApproximateNumberOfMessagesDelayed: String(sizes.delayed),
    CreatedTimestamp: String(Math.floor(queue.createdAt / 1000)),
    LastModifiedTimestamp: String(Math.floor(queue.createdAt / 1000)),
    VisibilityTimeout: String(settings.visibilityTimeoutSeconds),
    MaximumMessageSize: String(settings.maximumMessageSize),
    MessageRetentionPeriod: String(settings.messageRetentionSeconds),
    DelaySeconds: String(settings.delaySeconds),
    ReceiveMessageWaitTimeSeconds: String(settings.receiveWaitSeconds),
    SqsManagedSseEnabled: String(settings.kmsKeyArn === undefined),
    ...(settings.redrive === undefined ? {} : { RedrivePolicy: JSON.stringify(settings.redrive) }),
    ...(settings.kmsKeyArn === undefined ? {} : { KmsMasterKeyId: settings.kmsKeyArn }),
  };
  for (const name of names) {
    if (name !== 'All' && !(name in all) && !['RedrivePolicy', 'KmsMasterKeyId', 'Policy'].includes(name)) {
      throw new ServiceError('InvalidAttributeName', `Unknown Attribute ${name}.`);
    }
  }
  return names.includes('All') ? all : Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
}
