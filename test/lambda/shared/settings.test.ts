import * as z from 'zod';
import { queueUrlsSchema, readSettings, SettingsError, setting } from '../../../lambda/shared/settings';
import { Env } from '../../../lib/contract';

const schema = z.object({
  [Env.AGENT]: setting.text,
  [Env.MAX_RECEIVES]: setting.count,
  [Env.EVIDENCE_MIN_TASKS]: setting.countOrZero,
  [Env.QUEUES]: setting.json(queueUrlsSchema),
});

const queues = {
  stable: { high: 'https://sqs/sh', normal: 'https://sqs/sn', low: 'https://sqs/sl' },
  candidate: { high: 'https://sqs/ch', normal: 'https://sqs/cn', low: 'https://sqs/cl' },
};
const complete = {
  [Env.AGENT]: 'support',
  [Env.MAX_RECEIVES]: '5',
  [Env.EVIDENCE_MIN_TASKS]: '0',
  [Env.QUEUES]: JSON.stringify(queues),
};

test('settings are read with their types', () => {
  expect(readSettings(schema, { ...complete, OTHER: 'x' })).toEqual({
    [Env.AGENT]: 'support',
    [Env.MAX_RECEIVES]: 5,
    [Env.EVIDENCE_MIN_TASKS]: 0,
    [Env.QUEUES]: queues,
  });
});

test.each([
  ['an absent one', Env.AGENT, undefined, 'is missing'],
  ['an empty one', Env.AGENT, '', 'must not be empty'],
  ['a number with a sign', Env.MAX_RECEIVES, '-1', 'positive integer'],
  ['zero where one is the least', Env.MAX_RECEIVES, '0', 'positive integer'],
  ['a fraction', Env.EVIDENCE_MIN_TASKS, '1.5', 'integer of 0 or more'],
  ['broken JSON', Env.QUEUES, '{', 'must be JSON'],
  ['a lane without queues', Env.QUEUES, JSON.stringify({ stable: queues.stable }), '.candidate'],
  [
    'a queue without URL',
    Env.QUEUES,
    JSON.stringify({ ...queues, stable: { ...queues.stable, low: 'x' } }),
    '.stable.low',
  ],
])('fails for %s, with one line that names the setting', (_, name, value, complaint) => {
  const read = () => readSettings(schema, { ...complete, [name]: value });
  expect(read).toThrow(SettingsError);
  expect(read).toThrow(name);
  expect(read).toThrow(complaint);
  expect(read).not.toThrow('\n');
});

test('fails naming every setting that is wrong', () => {
  const read = () => readSettings(schema, { [Env.QUEUES]: complete[Env.QUEUES] });
  for (const name of [Env.AGENT, Env.MAX_RECEIVES, Env.EVIDENCE_MIN_TASKS]) {
    expect(read).toThrow(`${name} is missing`);
  }
});
