import { type FaultsPort, NO_FAULTS, type TaskFault } from '../../../rehearsal/core/faults';
import type { Call } from '../../../rehearsal/core/service';
import { container, eventually, IDLE, TASK_ROLE, World } from './support';

/** What the fault plan does to tasks that have messages in hand. */

let world: World;
let faults: Partial<FaultsPort>;
const happened: (readonly [kind: string, name: string, messages: string])[] = [];

beforeEach(async () => {
  faults = {};
  happened.length = 0;
  world = await World.open({
    faults: {
      ...NO_FAULTS,
      taskFault: (service, message) => faults.taskFault?.(service, message),
      isExempt: (message) => faults.isExempt?.(message) === true,
      recordInjected: ({ kind }, name, messages) => happened.push([kind, name, messages]),
    },
  });
  await world.launch(await world.define([container(world.image('idle', IDLE))]));
  await eventually(() => world.lines().includes('up'), 'the container');
});
afterEach(() => world.close());

/** A call of SQS that the task makes. */
function call(operation: string, input: Call['input'], output: unknown = {}, session = world.tasks[0]?.id): void {
  const { signal } = new AbortController();
  const principal = { kind: 'role' as const, arn: TASK_ROLE, label: 'service', ...(session && { session }) };
  world.ecs.observe('sqs', { operation, input, principal, signal, headers: {} }, output);
}

const receive = (...bodies: string[]) =>
  call('ReceiveMessage', {}, { Messages: bodies.map((Body) => ({ Body, ReceiptHandle: `receipt of ${Body}` })) });
const once = (fault: TaskFault) => {
  const left = [fault];
  return () => left.pop();
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('a task is told to stop in the middle of its work, whatever protects it', async () => {
  const [task] = world.tasks;
  faults.taskFault = once({ kind: 'stopped', afterMs: 20 });
  receive('one', 'two');
  await eventually(() => world.task(task?.id ?? '').status === 'STOPPED', 'the end of the task');
  expect(world.task(task?.id ?? '')).toMatchObject({ stopCode: 'UserInitiated', containers: [{ exitCode: 0 }] });
  expect(happened).toEqual([['stopped', 'service', 'one\ntwo']]);
});

test('a task is killed', async () => {
  const [task] = world.tasks;
  faults.taskFault = once({ kind: 'killed', afterMs: 0 });
  receive('one');
  await eventually(() => world.task(task?.id ?? '').status === 'STOPPED', 'the end of the task');
  expect(world.task(task?.id ?? '').containers).toMatchObject([{ exitCode: 137 }]);
  expect(happened).toEqual([['killed', 'service', 'one']]);
});

test('a task stands still', async () => {
  faults.taskFault = once({ kind: 'frozen', afterMs: 0, forMs: 100 });
  receive('one');
  await eventually(() => happened.length === 1, 'the standstill');
  expect(happened).toEqual([['frozen', 'service', 'one']]);
  expect(world.tasks).toMatchObject([{ status: 'RUNNING' }]);
});

test.each<[string, string, Call['input']]>([
  ['was deleted', 'DeleteMessage', { ReceiptHandle: 'receipt of one' }],
  ['was deleted with others', 'DeleteMessageBatch', { Entries: [{ Id: '1', ReceiptHandle: 'receipt of one' }] }],
  ['was given back', 'ChangeMessageVisibility', { ReceiptHandle: 'receipt of one', VisibilityTimeout: 0 }],
])('nothing happens for a message that %s meanwhile', async (_how, operation, input) => {
  faults.taskFault = once({ kind: 'killed', afterMs: 50 });
  receive('one');
  call(operation, input);
  await pause(150);
  expect(happened).toEqual([]);
  expect(world.tasks).toMatchObject([{ status: 'RUNNING' }]);
});

test('a message that is only kept for longer is still in hand', async () => {
  faults.taskFault = once({ kind: 'killed', afterMs: 20 });
  receive('one');
  call('ChangeMessageVisibility', { ReceiptHandle: 'receipt of one', VisibilityTimeout: 60 });
  await eventually(() => happened.length === 1, 'the kill');
});

test('nothing happens to a task that also has a message to be left in peace', async () => {
  faults.taskFault = once({ kind: 'killed', afterMs: 20 });
  faults.isExempt = (message) => message === 'probe';
  receive('one', 'probe');
  await pause(100);
  expect(happened).toEqual([]);
});

test('no other task is asked about', async () => {
  faults.taskFault = () => {
    throw new Error('asked');
  };
  call('ReceiveMessage', {}, { Messages: [{ Body: 'one', ReceiptHandle: '1' }] }, 'another task');
  call('SendMessage', {}, {});
  expect(world.tasks).toMatchObject([{ status: 'RUNNING' }]);
});
