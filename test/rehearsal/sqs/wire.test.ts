import {
  CancelMessageMoveTaskCommand,
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  type Message,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { OPERATOR_CREDENTIALS } from '../../../rehearsal/core/principal';
import { ManualClock } from '../../support/manual-clock';
import { Stage } from '../lambda/support';

/** Conformance: the real SDK client, which checks every MD5 itself, against the rehearsal's SQS. */
describe('SQS on the wire', () => {
  const clock = new ManualClock();
  let stage: Stage;
  let sqs: SQSClient;
  let url: string;
  let deadUrl: string;
  let deadArn: string;
  let arn: string;
  let count = 0;

  beforeAll(async () => {
    stage = await Stage.open({ clock });
    sqs = client(stage, OPERATOR_CREDENTIALS);
  });
  afterAll(async () => {
    sqs.destroy();
    await stage.close();
  });
  beforeEach(async () => {
    count += 1;
    ({ url: deadUrl, arn: deadArn } = await stage.queue(`dead-${count}`));
    ({ url, arn } = await stage.queue(`work-${count}`, {
      VisibilityTimeout: 30,
      RedrivePolicy: { deadLetterTargetArn: deadArn, maxReceiveCount: 2 },
    }));
  });

  const send = (body: string, more: { MessageGroupId?: string; DelaySeconds?: number } = {}) =>
    sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body, ...more }));
  const receive = async (more: Partial<ReceiveMessageCommandInput> = {}): Promise<Message[]> =>
    (await sqs.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, ...more }))).Messages ?? [];
  const one = async (more: Partial<ReceiveMessageCommandInput> = {}): Promise<Message> => {
    const [message] = await receive({ MaxNumberOfMessages: 1, ...more });
    if (message === undefined) {
      throw new Error('received nothing');
    }
    return message;
  };
  const counts = async (QueueUrl = url) => {
    const { Attributes: all = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    );
    return [
      all.ApproximateNumberOfMessages,
      all.ApproximateNumberOfMessagesNotVisible,
      all.ApproximateNumberOfMessagesDelayed,
    ].map(Number);
  };

  test('carries body, attributes of every type and system attributes, with the MD5s that the SDK checks', async () => {
    const trace = 'Root=1-5e3d83c1-e6a0db584850d61342823d4c;Parent=53995c3f42cd8ad8;Sampled=1';
    const sent = await sqs.send(
      new SendMessageCommand({
        QueueUrl: url,
        MessageBody: 'grüße 🚀 ]]> & <xml>',
        MessageGroupId: 'user-1',
        MessageAttributes: {
          text: { DataType: 'String', StringValue: 'ä' },
          number: { DataType: 'Number.int', StringValue: '12' },
          bytes: { DataType: 'Binary', BinaryValue: new Uint8Array([0, 255, 7]) },
        },
        MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: trace } },
      }),
    );
    expect(sent.MD5OfMessageAttributes).toHaveLength(32);
    expect(sent.MD5OfMessageSystemAttributes).toHaveLength(32);
    const message = await one({ MessageAttributeNames: ['All'], MessageSystemAttributeNames: ['All'] });
    expect(message.Body).toBe('grüße 🚀 ]]> & <xml>');
    expect(message.MessageId).toBe(sent.MessageId);
    expect(message.MD5OfMessageAttributes).toBe(sent.MD5OfMessageAttributes);
    expect(message.MessageAttributes?.bytes?.BinaryValue).toEqual(new Uint8Array([0, 255, 7]));
    expect(message.Attributes).toMatchObject({
      AWSTraceHeader: trace,
      MessageGroupId: 'user-1',
      ApproximateReceiveCount: '1',
      SentTimestamp: String(clock.now()),
      ApproximateFirstReceiveTimestamp: String(clock.now()),
    });
  });

  test("takes the trace from the request's header where no attribute names one", async () => {
    const trace = 'Root=1-5e3d83c1-e6a0db584850d61342823d4c;Parent=53995c3f42cd8ad8;Sampled=1';
    const traced = client(stage, OPERATOR_CREDENTIALS);
    traced.middlewareStack.add(
      (next) => (args) => {
        (args.request as { headers: Record<string, string> }).headers['x-amzn-trace-id'] = trace;
        return next(args);
      },
      { step: 'build' },
    );
    await traced.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'x' }));
    traced.destroy();
    expect((await one({ MessageSystemAttributeNames: ['AWSTraceHeader'] })).Attributes).toEqual({
      AWSTraceHeader: trace,
    });
  });

  test('gives only the attributes that were asked for', async () => {
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: url,
        MessageBody: 'x',
        MessageAttributes: {
          'app.a': { DataType: 'String', StringValue: '1' },
          'app.b': { DataType: 'String', StringValue: '2' },
          other: { DataType: 'String', StringValue: '3' },
        },
      }),
    );
    const message = await one({ MessageAttributeNames: ['app.*'], MessageSystemAttributeNames: ['SentTimestamp'] });
    expect(Object.keys(message.MessageAttributes ?? {})).toEqual(['app.a', 'app.b']);
    expect(Object.keys(message.Attributes ?? {})).toEqual(['SentTimestamp']);
  });

  test('hides a received message for the visibility timeout, and counts exactly', async () => {
    await send('a');
    await send('b', { DelaySeconds: 60 });
    expect(await counts()).toEqual([1, 0, 1]);
    await one();
    expect(await counts()).toEqual([0, 1, 1]);
    await clock.advance(29_999);
    expect(await receive()).toEqual([]);
    await clock.advance(1);
    expect((await one()).Body).toBe('a');
    await clock.advance(30_000);
    expect(await counts()).toEqual([2, 0, 0]);
  });

  test('a long poll gets a message the moment it is sent, and is empty after its time', async () => {
    const waiting = receive({ WaitTimeSeconds: 20 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await send('now');
    expect((await waiting).map((message) => message.Body)).toEqual(['now']);
    const empty = receive({ WaitTimeSeconds: 20 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await clock.advance(20_000);
    expect(await empty).toEqual([]);
  });

  test('a long poll gets a message whose visibility timeout runs out meanwhile', async () => {
    await send('again');
    await one({ VisibilityTimeout: 10 });
    const waiting = receive({ WaitTimeSeconds: 20 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await clock.advance(10_000);
    expect((await waiting).map((message) => message.Body)).toEqual(['again']);
  });

  test('a caller who goes away does not take a message with him', async () => {
    const gone = new AbortController();
    const waiting = sqs.send(new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 20 }), {
      abortSignal: gone.signal,
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    gone.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await send('kept');
    expect(await counts()).toEqual([1, 0, 0]);
  });

  test('moves a message received too often to the dead-letter queue with its id and attributes', async () => {
    const sentAt = clock.now();
    const { MessageId } = await send('poison', { MessageGroupId: 'g' });
    for (let receives = 1; receives <= 2; receives += 1) {
      await one();
      await clock.advance(30_000);
    }
    expect(await receive()).toEqual([]);
    expect(await counts()).toEqual([0, 0, 0]);
    const dead = await one({ QueueUrl: deadUrl, MessageSystemAttributeNames: ['All'] });
    expect(dead.MessageId).toBe(MessageId);
    expect(dead.Attributes).toMatchObject({
      DeadLetterQueueSourceArn: arn,
      MessageGroupId: 'g',
      SentTimestamp: String(sentAt),
      ApproximateReceiveCount: '3',
    });
  });

  test('moves dead letters back to where they came from, a few a second, as new messages', async () => {
    const ids = new Set<string | undefined>();
    for (let index = 0; index < 5; index += 1) {
      ids.add((await send(`m${index}`)).MessageId);
    }
    for (let receives = 1; receives <= 2; receives += 1) {
      expect(await receive()).toHaveLength(5);
      await clock.advance(30_000);
    }
    expect(await receive()).toEqual([]);
    expect(await counts(deadUrl)).toEqual([5, 0, 0]);
    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: deadArn, MaxNumberOfMessagesPerSecond: 2 }));
    await clock.advance(0);
    expect(await counts(deadUrl)).toEqual([3, 0, 0]);
    const running = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn: deadArn }));
    expect(running.Results?.[0]).toMatchObject({
      Status: 'RUNNING',
      ApproximateNumberOfMessagesMoved: 2,
      ApproximateNumberOfMessagesToMove: 5,
    });
    await clock.advance(2000);
    expect(await counts(deadUrl)).toEqual([0, 0, 0]);
    const done = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn: deadArn }));
    expect(done.Results?.[0]).toMatchObject({ Status: 'COMPLETED', ApproximateNumberOfMessagesMoved: 5 });
    const back = await receive({ MessageSystemAttributeNames: ['All'] });
    expect(back).toHaveLength(5);
    for (const message of back) {
      expect(ids.has(message.MessageId)).toBe(false);
      expect(message.Attributes?.ApproximateReceiveCount).toBe('1');
    }
  });

  test('a move task can be cancelled; what was moved stays moved', async () => {
    await sqs.send(
      new SendMessageBatchCommand({
        QueueUrl: deadUrl,
        Entries: ['a', 'b', 'c'].map((Id) => ({ Id, MessageBody: Id })),
      }),
    );
    const { TaskHandle } = await sqs.send(
      new StartMessageMoveTaskCommand({ SourceArn: deadArn, DestinationArn: arn, MaxNumberOfMessagesPerSecond: 1 }),
    );
    await clock.advance(1000);
    const cancelled = await sqs.send(new CancelMessageMoveTaskCommand({ TaskHandle }));
    expect(cancelled.ApproximateNumberOfMessagesMoved).toBe(2);
    await clock.advance(60_000);
    expect(await counts(deadUrl)).toEqual([1, 0, 0]);
    expect(await counts()).toEqual([2, 0, 0]);
  });

  test('refuses to move from a queue that is no queue’s dead-letter queue', async () => {
    await expect(sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arn }))).rejects.toMatchObject({
      message: 'Source queue must be configured as a Dead Letter Queue.',
    });
  });

  test('deletes by the handle of the latest receive; a stale one deletes nothing', async () => {
    await send('x');
    const first = await one({ VisibilityTimeout: 1 });
    await clock.advance(1000);
    const second = await one();
    await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: first.ReceiptHandle }));
    expect(await counts()).toEqual([0, 1, 0]);
    await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: second.ReceiptHandle }));
    expect(await counts()).toEqual([0, 0, 0]);
    // Deleting twice is no error.
    await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: second.ReceiptHandle }));
  });

  test('deletes a message that has become visible again', async () => {
    await send('x');
    const message = await one({ VisibilityTimeout: 1 });
    await clock.advance(1000);
    expect(await counts()).toEqual([1, 0, 0]);
    await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message.ReceiptHandle }));
    expect(await counts()).toEqual([0, 0, 0]);
  });

  test('changes the visibility, to nothing or to longer', async () => {
    await send('x');
    const { ReceiptHandle } = await one();
    const change = (VisibilityTimeout: number) =>
      sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle, VisibilityTimeout }));
    await change(100);
    await clock.advance(99_000);
    expect(await counts()).toEqual([0, 1, 0]);
    await change(0);
    expect(await counts()).toEqual([1, 0, 0]);
  });

  test('fails to change the visibility of a message that is visible, gone, or would be hidden for more than 12 hours', async () => {
    await send('x');
    const { ReceiptHandle } = await one({ VisibilityTimeout: 3600 });
    const change = (VisibilityTimeout: number) =>
      sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle, VisibilityTimeout }));
    await clock.advance(1_800_000);
    await expect(change(43_200)).rejects.toThrow(/beyond the limit \[43200 seconds\]/);
    await clock.advance(1_800_000);
    await expect(change(10)).rejects.toMatchObject({ name: 'MessageNotInflight' });
    await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
    await expect(change(10)).rejects.toThrow(/does not exist or is not available/);
  });

  test('refuses receipt handles that it did not give, or gave for another queue', async () => {
    await send('x');
    const { ReceiptHandle } = await one();
    await expect(sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: 'made up' }))).rejects.toMatchObject(
      { name: 'ReceiptHandleIsInvalid' },
    );
    await expect(sqs.send(new DeleteMessageCommand({ QueueUrl: deadUrl, ReceiptHandle }))).rejects.toMatchObject({
      name: 'ReceiptHandleIsInvalid',
    });
  });

  test('answers a batch entry by entry', async () => {
    const sent = await sqs.send(
      new SendMessageBatchCommand({
        QueueUrl: url,
        Entries: [
          { Id: 'good', MessageBody: 'fine' },
          { Id: 'bad', MessageBody: 'bell \u0007' },
        ],
      }),
    );
    expect(sent.Successful?.map((entry) => entry.Id)).toEqual(['good']);
    expect(sent.Failed).toMatchObject([{ Id: 'bad', SenderFault: true, Code: 'InvalidMessageContents' }]);
    const { ReceiptHandle } = await one();
    const changed = await sqs.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl: url,
        Entries: [{ Id: 'good', ReceiptHandle, VisibilityTimeout: 1 }],
      }),
    );
    expect(changed.Successful).toHaveLength(1);
    const deleted = await sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl: url,
        Entries: [
          { Id: 'good', ReceiptHandle },
          { Id: 'bad', ReceiptHandle: 'made up' },
        ],
      }),
    );
    expect(deleted.Successful?.map((entry) => entry.Id)).toEqual(['good']);
    expect(deleted.Failed).toMatchObject([{ Id: 'bad', Code: 'ReceiptHandleIsInvalid' }]);
    expect(await counts()).toEqual([0, 0, 0]);
  });

  test.each([
    ['no entries', [], 'EmptyBatchRequest'],
    [
      'eleven entries',
      Array.from({ length: 11 }, (_, index) => ({ Id: `${index}`, MessageBody: 'x' })),
      'TooManyEntriesInBatchRequest',
    ],
    ['the same id twice', ['a', 'a'].map((Id) => ({ Id, MessageBody: 'x' })), 'BatchEntryIdsNotDistinct'],
    ['an id with a blank', [{ Id: 'a b', MessageBody: 'x' }], 'InvalidBatchEntryId'],
    [
      'more than 1 MiB in all',
      ['a', 'b'].map((Id) => ({ Id, MessageBody: 'x'.repeat(600_000) })),
      'BatchRequestTooLong',
    ],
  ])('refuses a batch with %s', async (_what, Entries, name) => {
    await expect(sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries }))).rejects.toMatchObject({ name });
  });

  test('takes a message of 1 MiB, and refuses one byte more, counting attributes', async () => {
    const body = 'x'.repeat(1_048_576);
    await send(body);
    expect((await one()).Body).toHaveLength(1_048_576);
    await expect(send(`${body}x`)).rejects.toThrow('Message must be shorter than 1048576 bytes');
    await expect(
      sqs.send(
        new SendMessageCommand({
          QueueUrl: url,
          MessageBody: 'x'.repeat(1_048_570),
          MessageAttributes: { a: { DataType: 'String', StringValue: 'b' } },
        }),
      ),
    ).rejects.toThrow('Message must be shorter than 1048576 bytes');
  });

  test.each([
    ['an empty body', { MessageBody: '' }, /MessageBody/],
    ['a group id with a blank', { MessageBody: 'x', MessageGroupId: 'a b' }, /MessageGroupId/],
    ['a deduplication id', { MessageBody: 'x', MessageDeduplicationId: 'a' }, /MessageDeduplicationId/],
    ['a delay of an hour', { MessageBody: 'x', DelaySeconds: 3600 }, /DelaySeconds/],
    [
      'an attribute of an unknown type',
      { MessageBody: 'x', MessageAttributes: { a: { DataType: 'Date', StringValue: 'b' } } },
      /type/,
    ],
    [
      'a number that is none',
      { MessageBody: 'x', MessageAttributes: { a: { DataType: 'Number', StringValue: 'b' } } },
      /number/,
    ],
  ])('refuses %s', async (_what, input, message) => {
    await expect(sqs.send(new SendMessageCommand({ QueueUrl: url, ...input }))).rejects.toThrow(message);
  });

  test('serves groups in turns when there is a backlog', async () => {
    for (let index = 0; index < 20; index += 1) {
      await send(`noisy-${index}`, { MessageGroupId: 'noisy' });
    }
    await send('quiet-0', { MessageGroupId: 'quiet' });
    await send('quiet-1', { MessageGroupId: 'quiet' });
    const first = (await receive({ MaxNumberOfMessages: 4 })).map((message) => message.Body);
    expect(first).toEqual(['noisy-0', 'quiet-0', 'noisy-1', 'quiet-1']);
  });

  test('finds queues, purges them, and names one that is not there', async () => {
    expect((await sqs.send(new GetQueueUrlCommand({ QueueName: `work-${count}` }))).QueueUrl).toBe(url);
    expect((await sqs.send(new ListQueuesCommand({ QueueNamePrefix: `work-${count}` }))).QueueUrls).toEqual([url]);
    await send('x');
    await sqs.send(new PurgeQueueCommand({ QueueUrl: url }));
    expect(await counts()).toEqual([0, 0, 0]);
    const missing = sqs.send(new GetQueueUrlCommand({ QueueName: 'nowhere' }));
    await expect(missing).rejects.toMatchObject({ name: 'QueueDoesNotExist' });
    await expect(missing).rejects.toMatchObject({ Error: { Code: 'AWS.SimpleQueueService.NonExistentQueue' } });
  });

  test('forgets messages after the retention period, in the dead-letter queue counted from when they were first sent', async () => {
    const { url: dead } = await stage.queue(`short-${count}`, { MessageRetentionPeriod: 600 });
    const source = await stage.queue(`source-${count}`, {
      MessageRetentionPeriod: 1200,
      RedrivePolicy: { deadLetterTargetArn: deadArn.replace('dead', 'short'), maxReceiveCount: 1 },
    });
    await sqs.send(new SendMessageCommand({ QueueUrl: source.url, MessageBody: 'x' }));
    await one({ QueueUrl: source.url });
    await clock.advance(500_000);
    expect(await receive({ QueueUrl: source.url })).toEqual([]);
    expect(await counts(dead)).toEqual([1, 0, 0]);
    await clock.advance(99_000);
    expect(await counts(dead)).toEqual([1, 0, 0]);
    await clock.advance(61_000);
    expect(await counts(dead)).toEqual([0, 0, 0]);
  });

  test('refuses a caller whose role does not allow the call, by the ARN of the queue', async () => {
    const role = await stage.role(`sender-${count}`, ['sqs:SendMessage']);
    const limited = client(stage, stage.iam.sessionFor(role, 'sender'));
    await limited.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'x' }));
    await expect(limited.send(new ReceiveMessageCommand({ QueueUrl: url }))).rejects.toMatchObject({
      name: 'AccessDenied',
      message: expect.stringContaining(arn),
    });
    limited.destroy();
  });

  test('refuses a caller whom the policy of the queue denies', async () => {
    const role = await stage.role(`denied-${count}`, ['sqs:*']);
    const limited = client(stage, stage.iam.sessionFor(role, 'denied'));
    const policy = {
      Queues: [url],
      PolicyDocument: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Deny', Principal: { AWS: '*' }, Action: 'sqs:SendMessage', Resource: arn }],
      },
    };
    const { physicalId } = await stage.create('AWS::SQS::QueuePolicy', 'Policy', policy);
    const sendIt = () => limited.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'x' }));
    await expect(sendIt()).rejects.toMatchObject({ name: 'AccessDenied' });
    await stage.delete('AWS::SQS::QueuePolicy', 'Policy', physicalId, policy);
    await sendIt();
    limited.destroy();
  });
});

function client(
  stage: Stage,
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken: string },
): SQSClient {
  return new SQSClient({ region: 'us-east-1', endpoint: stage.apiServer.url, credentials, maxAttempts: 1 });
}
