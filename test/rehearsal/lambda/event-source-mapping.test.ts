import { setTimeout as delay } from 'node:timers/promises';
import { ManualClock } from '../../support/manual-clock';
import { Stage, until } from './support';

describe('event source mappings from SQS', () => {
  let clock: ManualClock;
  let stage: Stage;
  let arn: string;
  let mapping = '';
  let properties: Record<string, unknown> = {};

  const open = async (options: Parameters<typeof Stage.open>[0] = {}) => {
    clock = new ManualClock();
    stage = await Stage.open({ clock, ...options });
    await stage.role();
    const dead = await stage.queue('dead');
    ({ arn } = await stage.queue('work', {
      VisibilityTimeout: 60,
      RedrivePolicy: { deadLetterTargetArn: dead.arn, maxReceiveCount: 2 },
    }));
  };
  beforeEach(() => open());
  afterEach(() => stage.close());

  const map = async (more: Record<string, unknown> = {}) => {
    properties = { EventSourceArn: arn, FunctionName: 'f', ...more };
    const outcome = await stage.create('AWS::Lambda::EventSourceMapping', 'm', properties);
    mapping = outcome.physicalId;
    return outcome;
  };
  const send = (...bodies: string[]) => bodies.map((body) => stage.sqs.port.send(arn, body));
  const counts = (name = 'work') => {
    const queue = stage.sqs.queues().find((view) => view.name === name);
    return [queue?.visible, queue?.notVisible];
  };
  const empty = () => until(() => counts().join() === '0,0', 'the queue to be empty');
  const printed = () => stage.logLines.flatMap((line) => /^> (.*)$/.exec(line)?.[1] ?? []);

  test('hands over batches in the form of Lambda and deletes what was processed', async () => {
    await stage.function('f', 'exports.handler = async (event) => console.log("> " + JSON.stringify(event));');
    const traceHeader = 'Root=1-5e3d83c1-e6a0db584850d61342823d4c;Parent=53995c3f42cd8ad8;Sampled=1';
    const id = stage.sqs.port.send(arn, '{"n":1}', { groupId: 'user-1', traceHeader });
    const outcome = await map();
    expect(outcome.attributes.EventSourceMappingArn).toMatch(/:event-source-mapping:[0-9a-f-]{36}$/);
    await empty();
    const [event] = printed().map((line) => JSON.parse(line));
    expect(event).toEqual({
      Records: [
        {
          messageId: id,
          receiptHandle: expect.any(String),
          body: '{"n":1}',
          attributes: {
            ApproximateReceiveCount: '1',
            SentTimestamp: String(clock.now()),
            SenderId: expect.any(String),
            ApproximateFirstReceiveTimestamp: String(clock.now()),
            MessageGroupId: 'user-1',
            AWSTraceHeader: traceHeader,
          },
          messageAttributes: {},
          md5OfBody: expect.stringMatching(/^[0-9a-f]{32}$/),
          eventSource: 'aws:sqs',
          eventSourceARN: arn,
          awsRegion: 'us-east-1',
        },
      ],
    });
  });

  test('a message reaches an idle environment within milliseconds', async () => {
    await stage.function(
      'f',
      'exports.handler = async (event) => console.log("> " + (performance.timeOrigin + performance.now() - Number(event.Records[0].body)));',
    );
    await map({ BatchSize: 1 });
    for (let index = 0; index < 30; index += 1) {
      send(String(performance.timeOrigin + performance.now()));
      await empty();
    }
    const latencies = printed()
      .map(Number)
      .sort((a, b) => a - b);
    expect(latencies).toHaveLength(30);
    // About one millisecond on an idle machine; an interval of any kind would show here.
    expect(latencies[10]).toBeLessThan(20);
  });

  test('releases the whole batch when the function fails; the messages come back after the visibility timeout', async () => {
    await stage.function('f', 'exports.handler = async () => { console.log("> attempt"); throw new Error("bad"); };');
    await map({ BatchSize: 10 });
    send('a');
    await until(
      () => counts().join() === '0,1' && stage.logLines.some((line) => line.startsWith('REPORT')),
      'a failure',
    );
    expect(printed()).toHaveLength(1);
    await clock.advance(59_000);
    expect(printed()).toHaveLength(1);
    await clock.advance(1000);
    await until(() => printed().length === 2, 'the second attempt');
    await until(() => stage.logLines.filter((line) => line.startsWith('REPORT')).length === 2, 'the second failure');
    await clock.advance(60_000);
    // Received twice, as often as the redrive policy allows.
    await until(() => counts('dead').join() === '1,0', 'the dead letter');
    expect(counts()).toEqual([0, 0]);
    expect(printed()).toHaveLength(2);
  });

  test('counts the visibility timeout from the receive: what ran longer than that is visible at once', async () => {
    await stage.function(
      'f',
      'exports.handler = async () => { console.log("> attempt"); await new Promise((r) => setTimeout(r, 200)); throw new Error("bad"); };',
    );
    await map({ BatchSize: 1 });
    send('a');
    await until(() => printed().length === 1, 'the first attempt');
    await clock.advance(3_600_000);
    // An hour of cloud time has passed and the message was not handed out again: its invocation still runs.
    expect(printed()).toHaveLength(1);
    await until(() => printed().length === 2, 'the second attempt, without any further time');
  });

  test.each([
    ['nothing', 'undefined', []],
    ['null', 'null', []],
    ['an empty list', '{ batchItemFailures: [] }', []],
    ['one message', '{ batchItemFailures: [{ itemIdentifier: ids[1] }] }', ['b']],
    ['an id that was not in the batch', '{ batchItemFailures: [{ itemIdentifier: "other" }] }', ['a', 'b', 'c']],
    ['an empty id', '{ batchItemFailures: [{ itemIdentifier: "" }] }', ['a', 'b', 'c']],
    ['something else', '{ batchItemFailures: "all" }', ['a', 'b', 'c']],
  ])('keeps of a batch what is reported as failed: %s', async (_what, response, kept) => {
    await stage.function(
      'f',
      `exports.handler = async (event) => { const ids = event.Records.map((r) => r.messageId); console.log('> ' + event.Records.map((r) => r.body).join()); return ${response}; };`,
    );
    send('a', 'b', 'c');
    await map({ FunctionResponseTypes: ['ReportBatchItemFailures'] });
    await until(
      () => counts().join() === `0,${kept.length}` && stage.logLines.some((line) => line.startsWith('REPORT')),
      'the outcome',
    );
    expect(printed()).toEqual(['a,b,c']);
    await clock.advance(60_000);
    await until(() => printed().length === (kept.length === 0 ? 1 : 2), 'the second attempt');
    expect(printed()[1]).toBe(kept.length === 0 ? undefined : kept.join());
  });

  test('without ReportBatchItemFailures the response means nothing', async () => {
    await stage.function(
      'f',
      'exports.handler = async (event) => ({ batchItemFailures: [{ itemIdentifier: event.Records[0].messageId }] });',
    );
    send('a');
    await map();
    await empty();
  });

  test('never runs more than the maximum concurrency, and leaves the rest visible', async () => {
    await stage.function(
      'f',
      'exports.handler = async () => { console.log("> start"); await new Promise((r) => setTimeout(r, 150)); console.log("> end"); };',
    );
    await map({ BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } });
    send('a', 'b', 'c', 'd', 'e');
    await until(() => printed().length > 0, 'the first start');
    expect(counts()).toEqual([3, 2]);
    await empty();
    let running = 0;
    for (const line of printed()) {
      running += line === 'start' ? 1 : -1;
      expect(running).toBeLessThanOrEqual(2);
    }
    expect(printed()).toHaveLength(10);
  });

  test('collects a batch for as long as the window says', async () => {
    await stage.function(
      'f',
      'exports.handler = async (event) => console.log("> " + event.Records.map((r) => r.body).join());',
    );
    await map({ BatchSize: 25, MaximumBatchingWindowInSeconds: 10 });
    send('a');
    await clock.advance(5000);
    send('b', 'c');
    await clock.advance(4000);
    expect(printed()).toEqual([]);
    await clock.advance(1000);
    await empty();
    expect(printed()).toEqual(['a,b,c']);
    send(...Array.from({ length: 25 }, (_, index) => String(index)));
    await until(() => printed().length === 2, 'a full batch, before the window ends');
    expect(printed()[1]?.split(',')).toHaveLength(25);
  });

  test('two mappings of one function take turns at its environments', async () => {
    await stage.close();
    await open({ maxEnvironments: 1 });
    const { arn: urgent } = await stage.queue('urgent', { VisibilityTimeout: 60 });
    await stage.function(
      'f',
      'exports.handler = async (event) => { console.log("> " + event.Records[0].body); await new Promise((r) => setTimeout(r, 20)); };',
    );
    await map({ BatchSize: 1 });
    await stage.create('AWS::Lambda::EventSourceMapping', 'n', {
      EventSourceArn: urgent,
      FunctionName: 'f',
      BatchSize: 1,
    });
    send(...Array.from({ length: 30 }, () => 'bulk'));
    await until(() => printed().length >= 3, 'bulk work to be in progress');
    const before = printed().length;
    stage.sqs.port.send(urgent, 'urgent');
    await until(() => printed().includes('urgent'), 'the urgent message');
    expect(printed().indexOf('urgent') - before).toBeLessThanOrEqual(3);
  });

  test('follows its alias: the next batch runs what the alias then points to', async () => {
    const one = await stage.function('f', 'exports.handler = async () => console.log("> one");');
    await stage.publish('f');
    stage.lambda.port.putAlias({ functionName: 'f', name: 'stable', version: '1', weights: {} });
    await map({ FunctionName: 'arn:aws:lambda:us-east-1:123456789012:function:f:stable' });
    send('a');
    await empty();
    const two = stage.functionProperties('f', 'exports.handler = async () => console.log("> two");');
    await stage.update('AWS::Lambda::Function', 'f', 'f', one, two);
    await stage.publish('f');
    stage.lambda.port.putAlias({ functionName: 'f', name: 'stable', version: '2', weights: {} });
    send('b');
    await empty();
    expect(printed()).toEqual(['one', 'two']);
  });

  test('can be switched off and on, and lets what runs finish', async () => {
    await stage.function(
      'f',
      'exports.handler = async () => { console.log("> start"); await new Promise((r) => setTimeout(r, 150)); };',
    );
    await map({ BatchSize: 1 });
    send('a');
    await until(() => printed().length === 1, 'the start');
    await stage.update('AWS::Lambda::EventSourceMapping', 'm', mapping, properties, { ...properties, Enabled: false });
    send('b');
    await until(() => counts().join() === '1,0', 'the first message to be done');
    await delay(50);
    expect(printed()).toHaveLength(1);
    await stage.update('AWS::Lambda::EventSourceMapping', 'm', mapping, properties, { ...properties, Enabled: true });
    await empty();
    await stage.delete('AWS::Lambda::EventSourceMapping', 'm', mapping, properties);
    send('c');
    await delay(50);
    expect(counts()).toEqual([1, 0]);
    expect(stage.faults).toEqual([]);
  });

  test('a throttled batch goes back to the queue', async () => {
    await stage.function('f', 'exports.handler = async () => console.log("> ran");', {
      ReservedConcurrentExecutions: 0,
    });
    await map();
    send('a');
    await until(() => stage.metrics.some((metric) => metric.name === 'Throttles'), 'the throttle');
    expect(counts()).toEqual([0, 1]);
    await clock.advance(60_000);
    expect(counts('work')[0]).toBe(0);
    expect(printed()).toEqual([]);
  });

  test('a batch whose environment is killed goes back to the queue and is not lost', async () => {
    await stage.function(
      'f',
      'exports.handler = async (e) => { console.log("> start"); if (e.Records[0].attributes.ApproximateReceiveCount === "1") await new Promise((r) => setTimeout(r, 60000)); };',
      { Timeout: 60 },
    );
    await map();
    send('a');
    await until(() => printed().length === 1, 'the start');
    const busy = stage.lambda.environments().find((environment) => environment.state === 'busy');
    stage.lambda.kill(busy?.id ?? '');
    await until(() => stage.logLines.some((line) => line.startsWith('REPORT')), 'the failure');
    expect(counts()).toEqual([0, 1]);
    await clock.advance(60_000);
    await empty();
    expect(printed()).toHaveLength(2);
    expect(counts('dead')).toEqual([0, 0]);
  });

  test('what the function does to its message’s visibility counts when it fails', async () => {
    await stage.function(
      'f',
      `const { SQSClient, ChangeMessageVisibilityCommand } = require('@aws-sdk/client-sqs');
       const sqs = new SQSClient({});
       exports.handler = async (event) => {
         console.log('> attempt');
         await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl: process.env.QUEUE, ReceiptHandle: event.Records[0].receiptHandle, VisibilityTimeout: 600 }));
         throw new Error('not now');
       };`,
      { Environment: { Variables: { QUEUE: `${stage.apiServer.url}/123456789012/work` } }, Timeout: 30 },
    );
    await map();
    send('a');
    await until(() => stage.logLines.some((line) => line.startsWith('REPORT')), 'the first attempt');
    await clock.advance(599_000);
    await delay(30);
    expect(printed()).toHaveLength(1);
    await clock.advance(1000);
    await until(() => printed().length === 2, 'the second attempt');
  });

  test.each([
    ['a queue that is not there', () => ({ EventSourceArn: arn.replace('work', 'none') }), /does not exist/],
    ['a function that is not there', () => ({ FunctionName: 'none' }), /Function not found/],
    ['a batch of more than ten without a window', () => ({ BatchSize: 11 }), /batch window/],
    ['a maximum concurrency of one', () => ({ ScalingConfig: { MaximumConcurrency: 1 } }), /MaximumConcurrency/],
    ['a filter', () => ({ FilterCriteria: { Filters: [] } }), /FilterCriteria/],
  ])('refuses %s', async (_what, more, message) => {
    await stage.function('f', 'exports.handler = async () => 1;');
    await expect(map(more())).rejects.toThrow(message);
  });

  test('refuses a function whose timeout is longer than the queue’s visibility timeout', async () => {
    await stage.function('f', 'exports.handler = async () => 1;', { Timeout: 61 });
    await expect(map()).rejects.toThrow(
      'Queue visibility timeout: 60 seconds is less than Function timeout: 61 seconds',
    );
  });

  test('refuses a function whose role may not receive from the queue', async () => {
    const Role = await stage.role('narrow', ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'logs:*']);
    await stage.function('f', 'exports.handler = async () => 1;', { Role });
    await expect(map()).rejects.toThrow(/does not have permissions to call ReceiveMessage on SQS/);
  });

  test('refuses a second mapping of the same queue and function', async () => {
    await stage.function('f', 'exports.handler = async () => 1;');
    await map();
    await expect(map()).rejects.toThrow(new RegExp(`already exists.*UUID ${mapping}`));
  });
});
