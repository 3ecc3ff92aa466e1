import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogs, type Logs } from '../../../rehearsal/services/logs';
import { ManualClock } from '../../support/manual-clock';
import { type ClientSettings, Resource, type Rig, startRig } from '../api-server/support';

let clock: ManualClock;
let directory: string;
let logs: Logs;
let rig: Rig;

beforeEach(async () => {
  clock = new ManualClock(Date.UTC(2030, 0, 1));
  directory = mkdtempSync(join(tmpdir(), 'rehearsal-logs-'));
  logs = createLogs({ clock, directory });
  rig = await startRig(() => [logs.service]);
});
afterEach(async () => {
  await rig.stop();
  rmSync(directory, { recursive: true });
});

async function filter(settings: ClientSettings, input: object): Promise<Record<string, unknown>> {
  const response = await fetch(rig.apiServer.url, {
    method: 'POST',
    body: JSON.stringify(input),
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${settings.credentials.accessKeyId}/20300101/us-east-1/logs/aws4_request`,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'Logs_20140328.FilterLogEvents',
    },
  });
  return (await response.json()) as Record<string, unknown>;
}

test('a group of the template holds the lines that are written to it', async () => {
  const group = await Resource.of(logs.handlers, 'AWS::Logs::LogGroup', 'Worker').create({ RetentionInDays: 30 });
  expect(group.attributes.Arn).toBe(`arn:aws:logs:us-east-1:123456789012:log-group:${group.physicalId}:*`);
  logs.write(group.physicalId, '[1]abc', 'first');
  await clock.advance(1_000);
  logs.write(group.physicalId, '[1]abc', 'second');
  expect(logs.lines(group.physicalId)).toEqual([
    { timestamp: Date.UTC(2030, 0, 1), stream: '[1]abc', message: 'first' },
    { timestamp: Date.UTC(2030, 0, 1, 0, 0, 1), stream: '[1]abc', message: 'second' },
  ]);
});

test('every line also goes into a file', () => {
  logs.write('/aws/lambda/worker', 's', 'a line');
  const file = readFileSync(join(directory, 'aws_lambda_worker.log'), 'utf8');
  expect(file).toBe('2030-01-01T00:00:00.000Z s a line\n');
});

test('memory holds the newest 20,000 lines of a group', () => {
  const bounded = createLogs({ clock });
  for (let line = 0; line < 45_000; line++) bounded.write('g', 's', String(line));
  const lines = bounded.lines('g');
  expect(lines).toHaveLength(20_000);
  expect(lines.at(-1)?.message).toBe('44999');
});

test('lines are read on the wire, by those who may', async () => {
  logs.write('g', 's', 'early');
  await clock.advance(10);
  logs.write('g', 's', 'late');
  const Resource = 'arn:aws:logs:us-east-1:123456789012:log-group:g:*';
  const reader = rig.role('reader', { Effect: 'Allow', Action: 'logs:FilterLogEvents', Resource });
  expect(await filter(reader, { logGroupName: 'g', startTime: clock.now() })).toEqual({
    events: [{ timestamp: clock.now(), message: 'late', logStreamName: 's' }],
  });
});

test('refuses readers without permission, unknown groups, and patterns', async () => {
  logs.write('g', 's', 'line');
  expect(await filter(rig.role('unprivileged'), { logGroupName: 'g' })).toMatchObject({
    __type: 'AccessDeniedException',
  });
  expect(await filter(rig.operator, { logGroupName: 'none' })).toMatchObject({ __type: 'ResourceNotFoundException' });
  expect(await filter(rig.operator, { logGroupName: 'g', filterPattern: 'x' })).toMatchObject({
    __type: 'NotRehearsable',
    message: expect.stringContaining('filterPattern'),
  });
});

test('a deleted group is gone; refuses a name that is taken', async () => {
  const group = Resource.of(logs.handlers, 'AWS::Logs::LogGroup');
  await group.create({ LogGroupName: 'named' });
  await expect(Resource.of(logs.handlers, 'AWS::Logs::LogGroup').create({ LogGroupName: 'named' })).rejects.toThrow(
    "Resource of type 'AWS::Logs::LogGroup' with identifier 'named' already exists.",
  );
  await group.delete();
  expect(logs.groups()).toEqual([]);
});
