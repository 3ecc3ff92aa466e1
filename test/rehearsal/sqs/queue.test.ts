import { ManualClock } from '../../support/manual-clock';
import { Stage } from '../lambda/support';

describe('queues from the template and in process', () => {
  let clock: ManualClock;
  let stage: Stage;

  beforeEach(async () => {
    clock = new ManualClock();
    stage = await Stage.open({ clock });
  });
  afterEach(() => stage.close());

  const counts = (name: string) => {
    const queue = stage.sqs.queues().find((view) => view.name === name);
    return [queue?.visible, queue?.notVisible, queue?.delayed];
  };
  const never = new AbortController().signal;

  test('an update keeps the messages and changes the settings', async () => {
    const { url, arn } = await stage.queue('q', { VisibilityTimeout: 30 });
    stage.sqs.port.send(arn, 'kept');
    const changed = { QueueName: 'q', VisibilityTimeout: '60' };
    const outcome = await stage.update('AWS::SQS::Queue', 'q', url, { QueueName: 'q' }, changed);
    expect(outcome.physicalId).toBe(url);
    expect(stage.sqs.port.visibilityTimeoutSeconds(arn)).toBe(60);
    expect(counts('q')).toEqual([1, 0, 0]);
  });

  test('a queue without a name gets one from stack and logical id', async () => {
    const outcome = await stage.create('AWS::SQS::Queue', 'LaneHigh', {});
    expect(outcome.attributes.QueueName).toMatch(/^Test-LaneHigh-[A-Z0-9]{12}$/);
    expect(outcome.ref ?? outcome.physicalId).toBe(
      `${stage.apiServer.url}/123456789012/${outcome.attributes.QueueName}`,
    );
  });

  test('deleting a queue ends the polls that wait on it', async () => {
    const { url, arn } = await stage.queue('q');
    const waiting = stage.sqs.port.receiveInFlight(arn, 1, never);
    await stage.delete('AWS::SQS::Queue', 'q', url, {});
    expect(await waiting).toEqual([]);
    expect(stage.sqs.port.exists(arn)).toBe(false);
  });

  test.each([
    ['a FIFO queue', { FifoQueue: true }, /FifoQueue/],
    ['a FIFO queue by name', { QueueName: 'q.fifo' }, /standard queue/],
    ['a visibility beyond 12 hours', { VisibilityTimeout: 43_201 }, /VisibilityTimeout/],
    ['a retention below a minute', { MessageRetentionPeriod: 59 }, /MessageRetentionPeriod/],
    ['a redrive policy that is no JSON', { RedrivePolicy: 'never' }, /RedrivePolicy/],
    [
      'a dead-letter queue that is not there',
      { RedrivePolicy: { deadLetterTargetArn: 'arn:aws:sqs:us-east-1:123456789012:none', maxReceiveCount: 5 } },
      /Dead letter target does not exist/,
    ],
  ])('refuses %s', async (_what, properties, message) => {
    await expect(stage.create('AWS::SQS::Queue', 'Q', properties)).rejects.toThrow(message);
  });

  test('refuses a name that is taken', async () => {
    await stage.queue('q');
    await expect(stage.queue('q')).rejects.toThrow(/'q' already exists/);
  });

  test('a held message stays invisible for as long as it is held', async () => {
    const { arn } = await stage.queue('q', { VisibilityTimeout: 30 });
    stage.sqs.port.send(arn, 'x');
    const [held] = await stage.sqs.port.receiveInFlight(arn, 10, never);
    await clock.advance(3_600_000);
    expect(counts('q')).toEqual([0, 1, 0]);
    stage.sqs.port.release(arn, held?.receiptHandle ?? '');
    // The visibility timeout, counted from the receive, is long over.
    expect(counts('q')).toEqual([1, 0, 0]);
  });

  test('a released message reappears when its visibility timeout, counted from the receive, is over', async () => {
    const { arn } = await stage.queue('q', { VisibilityTimeout: 30 });
    stage.sqs.port.send(arn, 'x');
    const [held] = await stage.sqs.port.receiveInFlight(arn, 10, never);
    await clock.advance(10_000);
    stage.sqs.port.release(arn, held?.receiptHandle ?? '');
    await clock.advance(19_999);
    expect(counts('q')).toEqual([0, 1, 0]);
    await clock.advance(1);
    expect(counts('q')).toEqual([1, 0, 0]);
    // A second release of the same receive is without effect.
    const [again] = await stage.sqs.port.receiveInFlight(arn, 10, never);
    stage.sqs.port.release(arn, held?.receiptHandle ?? '');
    await clock.advance(60_000);
    expect(counts('q')).toEqual([0, 1, 0]);
    stage.sqs.port.delete(arn, again?.receiptHandle ?? '');
    expect(counts('q')).toEqual([0, 0, 0]);
  });

  test('a poll that is aborted takes nothing', async () => {
    const { arn } = await stage.queue('q');
    const abort = new AbortController();
    const waiting = stage.sqs.port.receiveInFlight(arn, 1, abort.signal);
    abort.abort();
    expect(await waiting).toEqual([]);
    stage.sqs.port.send(arn, 'x');
    await clock.advance(0);
    expect(counts('q')).toEqual([1, 0, 0]);
  });

  test('publishes its metrics in every cloud minute, zeros included', async () => {
    const { arn } = await stage.queue('q');
    const taken = () => {
      const put = stage.metrics.splice(0).filter((metric) => metric.namespace === 'AWS/SQS');
      return Object.fromEntries(
        put.filter((metric) => metric.dimensions.QueueName === 'q').map((metric) => [metric.name, metric.values[0]]),
      );
    };
    stage.sqs.port.send(arn, 'a');
    stage.sqs.port.send(arn, 'b');
    await clock.advance(1000);
    const [held] = await stage.sqs.port.receiveInFlight(arn, 1, never);
    stage.sqs.port.delete(arn, held?.receiptHandle ?? '');
    await clock.advance(59_000);
    expect(taken()).toMatchObject({
      ApproximateNumberOfMessagesVisible: 1,
      ApproximateNumberOfMessagesNotVisible: 0,
      ApproximateAgeOfOldestMessage: 50,
      NumberOfMessagesSent: 2,
      NumberOfMessagesReceived: 1,
      NumberOfMessagesDeleted: 1,
    });
    await clock.advance(60_000);
    expect(taken()).toMatchObject({
      ApproximateNumberOfMessagesVisible: 1,
      ApproximateAgeOfOldestMessage: 110,
      NumberOfMessagesSent: 0,
      NumberOfMessagesDeleted: 0,
    });
  });

  test('a message received more than three times no longer counts for the age of the oldest', async () => {
    const { arn } = await stage.queue('q', { VisibilityTimeout: 0 });
    stage.sqs.port.send(arn, 'poison');
    for (let receives = 1; receives <= 4; receives += 1) {
      const [held] = await stage.sqs.port.receiveInFlight(arn, 1, never);
      stage.sqs.port.release(arn, held?.receiptHandle ?? '');
    }
    await clock.advance(20_000);
    stage.sqs.port.send(arn, 'fresh');
    await clock.advance(40_000);
    const age = stage.metrics.find((metric) => metric.name === 'ApproximateAgeOfOldestMessage');
    expect(age?.values).toEqual([30]);
  });

  test('fifty thousand messages pass in seconds: no operation looks at all of them', async () => {
    const { arn } = await stage.queue('q');
    const total = 50_000;
    const started = performance.now();
    for (let index = 0; index < total; index += 1) {
      stage.sqs.port.send(arn, 'x', { groupId: `user-${index % 300}` });
    }
    for (let received = 0; received < total; ) {
      const batch = await stage.sqs.port.receiveInFlight(arn, 10, never);
      received += batch.length;
      for (const message of batch) {
        stage.sqs.port.delete(arn, message.receiptHandle);
      }
    }
    expect(counts('q')).toEqual([0, 0, 0]);
    // A second or two; quadratic work would take minutes.
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
