import { TaskProtection } from '../../../../lambda/functions/container/task-protection';
import { ManualClock } from '../../../support/manual-clock';
import type { StubAnswer } from '../../worker/support/http-stub';
import { until } from './support/container-process';
import { EcsAgent, refused } from './support/ecs-agent';

let ecs: EcsAgent;
let clock: ManualClock;
let lines: string[];

beforeAll(async () => {
  ecs = await EcsAgent.start();
});
afterAll(() => ecs.close());
beforeEach(() => {
  ecs.answer = ({ body }) => ({ body: { protection: body } });
  ecs.changes.length = 0;
  ecs.forget();
  clock = new ManualClock();
  lines = [];
});

const log = (line: string) => void lines.push(line);
const protection = (agentUri: string | undefined = ecs.uri) =>
  new TaskProtection({ agentUri, clock, logger: { info: log, warn: log, error: log } });

const bodies = () => ecs.requests.map(({ body }) => body);

test('asks ECS as it wants to be asked, once for any number of tasks, and releases it', async () => {
  const task = protection();
  expect(await Promise.all([task.acquire(), task.acquire()])).toEqual(['protected', 'protected']);
  expect(task.state).toBe('protected');
  expect(bodies()).toEqual([{ ProtectionEnabled: true, ExpiresInMinutes: 30 }]);
  await task.release();
  await task.release();
  expect(bodies().slice(1)).toEqual([{ ProtectionEnabled: false }]);
  expect(task.state).toBe('unprotected');
});

test('is renewed long before it ends, for as long as there is work', async () => {
  const task = protection();
  await task.acquire();
  for (let renewals = 1; renewals <= 6; renewals += 1) {
    await clock.advance(10 * 60_000);
    await until(() => ecs.requests.length === 1 + renewals, `renewal ${renewals}`);
  }
  expect(new Set(bodies().map((body) => JSON.stringify(body))).size).toBe(1);
  await task.release();
  const { length } = ecs.requests;
  await clock.advance(60 * 60_000);
  expect(ecs.requests).toHaveLength(length);
});

test('that is released and acquired again at the same time is on in the end', async () => {
  const task = protection();
  await task.acquire();
  const [, again] = await Promise.all([task.release(), task.acquire()]);
  expect(again).toBe('protected');
  expect(ecs.changes).toEqual([true, false, true]);
});

test.each<[string, StubAnswer]>([
  ['a deployment that waits for protected tasks', refused('DEPLOYMENT_BLOCKED')],
  ['a task that is about to go', refused('TASK_STOPPING_OR_STOPPED')],
  ['a failure with status 200', { body: { failure: { Arn: 'arn', Reason: 'DEPLOYMENT_BLOCKED', Detail: 'x' } } }],
  ['a role that may not', { status: 400, body: { error: { Code: 'AccessDeniedException', Message: 'no' } } }],
  ['a task that is of no service', { status: 404, body: { error: { Code: 'ResourceNotFoundException' } } }],
])('is refused by %s, which is told, and asked again only when it is wanted again', async (_, answer) => {
  ecs.answer = () => answer;
  const task = protection();
  expect(await task.acquire()).toBe('refused');
  expect(ecs.requests).toHaveLength(1);
  expect(lines).toEqual(['ECS refused to change the scale-in protection of the task']);
  await clock.advance(60 * 60_000);
  expect(ecs.requests).toHaveLength(1);
  ecs.answer = ({ body }) => ({ body: { protection: body } });
  expect(await task.acquire()).toBe('protected');
});

test.each<[string, StubAnswer]>([
  ['is throttled', { status: 400, body: { error: { Code: 'ThrottlingException', Message: 'slow down' } } }],
  ['is away', { status: 500, body: { error: { Code: 'ServerException', Message: 'oops' } } }],
  ['times out', { status: 504, body: { error: { Code: 'RequestCanceled', Message: 'Timed out' } } }],
  ['says nothing', { status: 502, body: '<html>' }],
])('is done without while ECS %s, and comes when it is back', async (_, answer) => {
  ecs.answer = () => answer;
  const task = protection();
  expect(await task.acquire()).toBe('unprotected');
  expect(ecs.requests).toHaveLength(2);
  ecs.answer = ({ body }) => ({ body: { protection: body } });
  await clock.advance(60_000);
  await until(() => task.state === 'protected', 'protection');
  await task.release();
  expect(ecs.changes).toEqual([true, false]);
});

test('is nothing to ask for outside of ECS', async () => {
  const none = new TaskProtection({ agentUri: undefined, clock, logger: { info: log, warn: log, error: log } });
  expect(await none.acquire()).toBe('unprotected');
  await none.release();
  expect(ecs.requests).toEqual([]);
  expect(lines).toEqual([]);
});

test('is not waited for when no ECS agent is there', async () => {
  const task = protection('http://127.0.0.1:1');
  expect(await task.acquire()).toBe('unprotected');
  expect(lines).toEqual([expect.stringContaining('ECS could not be asked')]);
  await task.release();
});
