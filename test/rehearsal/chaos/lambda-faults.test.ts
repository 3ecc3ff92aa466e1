import { type FaultsPort, NO_FAULTS, type TaskFault } from '../../../rehearsal/core/faults';
import { ManualClock } from '../../support/manual-clock';
import { Stage, until } from '../lambda/support';

/** What faults do to deliveries and processes. */
describe('faults in Lambda', () => {
  let clock: ManualClock;
  let stage: Stage;
  let arn: string;
  let faults: Partial<FaultsPort>;
  const happened: TaskFault[] = [];

  beforeEach(async () => {
    clock = new ManualClock();
    faults = {};
    happened.length = 0;
    stage = await Stage.open({
      clock,
      faults: {
        ...NO_FAULTS,
        deliveryFault: (name) => faults.deliveryFault?.(name),
        processFault: (name, event) => faults.processFault?.(name, event),
        recordInjected: (fault) => happened.push(fault),
      },
    });
    await stage.role();
    ({ arn } = await stage.queue('work', { VisibilityTimeout: 60 }));
  });
  afterEach(() => stage.close());

  const sizes = () => stage.sqs.queues().map(({ visible, notVisible }) => [visible, notVisible]);
  const printed = () => stage.logLines.flatMap((line) => /^> (.*)$/.exec(line)?.[1] ?? []);
  const map = () =>
    stage.create('AWS::Lambda::EventSourceMapping', 'm', { EventSourceArn: arn, FunctionName: 'f', BatchSize: 1 });
  const once = <T>(value: T) => {
    const values = [value];
    return () => values.pop();
  };
  const PRINT =
    'exports.handler = async (event) => console.log("> " + event.Records[0].attributes.ApproximateReceiveCount);';

  test('a dropped delivery counts as a receive, invokes no function, and comes back when its invisibility is over', async () => {
    await stage.function('f', PRINT);
    faults.deliveryFault = once('dropped' as const);
    await map();
    stage.sqs.port.send(arn, '{}');
    await until(() => sizes()[0]?.[1] === 1, 'the receive');
    await clock.advance(59_000);
    expect(printed()).toEqual([]);
    await clock.advance(2_000);
    await until(() => printed().length === 1, 'the second receive');
    expect(printed()).toEqual(['2']);
    await until(() => sizes()[0]?.join() === '0,0', 'the queue to be empty');
  });

  test('a duplicated delivery runs twice at the same time, and the message is gone when one has succeeded', async () => {
    await stage.function(
      'f',
      'exports.handler = async () => { console.log("> in"); await new Promise((r) => setTimeout(r, 1500)); };',
    );
    faults.deliveryFault = once('duplicated' as const);
    await map();
    stage.sqs.port.send(arn, '{}');
    await until(() => printed().length === 2, 'both');
    expect(sizes()).toEqual([[0, 1]]);
    await until(() => sizes()[0]?.join() === '0,0', 'the queue to be empty');
  });

  test('a killed process gives its message back, and the next attempt goes through', async () => {
    await stage.function(
      'f',
      `exports.handler = async (event) => {
      console.log("> " + event.Records[0].attributes.ApproximateReceiveCount);
      if (event.Records[0].attributes.ApproximateReceiveCount === '1') await new Promise((r) => setTimeout(r, 60000));
    };`,
      { Timeout: 60 },
    );
    const fault = { kind: 'killed', afterMs: 200 } as const;
    faults.processFault = once(fault);
    await map();
    stage.sqs.port.send(arn, '{}');
    await until(() => happened.length === 1, 'the kill');
    await until(() => stage.lambda.environments().length === 0, 'the end of the process');
    await clock.advance(61_000);
    await until(() => printed().join() === '1,2', 'the second attempt');
  });

  test('a frozen process stands still, its message comes back meanwhile, and it continues where it was', async () => {
    await stage.function(
      'f',
      `exports.handler = async (event) => {
      const receive = event.Records[0].attributes.ApproximateReceiveCount;
      console.log("> begin " + receive);
      if (receive === '1') await new Promise((r) => setTimeout(r, 400));
      console.log("> end " + receive);
    };`,
    );
    faults.processFault = once({ kind: 'frozen', afterMs: 200, forMs: 1_500 } as const);
    await map();
    stage.sqs.port.send(arn, '{}');
    await until(() => happened.length === 1, 'the freeze');
    await clock.advance(61_000);
    await until(() => printed().includes('end 2'), 'the second attempt');
    expect(printed()).toEqual(['begin 1', 'begin 2', 'end 2']);
    await until(() => printed().includes('end 1'), 'the thaw');
    expect(sizes()).toEqual([[0, 0]]);
  });

  test('an invocation that was over before is not met, and not counted', async () => {
    await stage.function('f', PRINT);
    faults.processFault = once({ kind: 'killed', afterMs: 5_000 } as const);
    await map();
    stage.sqs.port.send(arn, '{}');
    await until(() => sizes()[0]?.join() === '0,0' && printed().length === 1, 'the queue to be empty');
    expect(happened).toEqual([]);
    expect(stage.lambda.environments()).toHaveLength(1);
  });
});
