import { SECRET_MAX_AGE_MS, SecretReader } from '../../../lambda/runtime/secrets';

const ARNS = { anthropic: 'arn:anthropic', crm: 'arn:crm' };

function setUp(answers: (string | undefined | Error)[]) {
  const clock = { time: 0, now: () => clock.time, sleep: () => Promise.resolve() };
  const asked: string[] = [];
  const fetch = async (arn: string) => {
    asked.push(arn);
    const answer = answers[asked.length - 1];
    if (answer instanceof Error) {
      throw answer;
    }
    return answer;
  };
  const reader = new SecretReader(ARNS, clock, { random: () => 0, fetch });
  return { clock, asked, reader };
}

const named = (name: string, message: string) => Object.assign(new Error(message), { name });

test('reads a secret once for many callers at the same time, by its ARN', async () => {
  const { reader, asked } = setUp(['value-1']);
  expect(await Promise.all([reader.get('crm'), reader.get('crm'), reader.get('crm')])).toEqual(
    Array(3).fill('value-1'),
  );
  expect(asked).toEqual(['arn:crm']);
});

test('reads it again when it has come of age, so that a rotation is seen without a deployment', async () => {
  const { reader, clock, asked } = setUp(['old-value', 'new-value']);
  await reader.get('crm');
  clock.time = SECRET_MAX_AGE_MS - 1;
  expect(await reader.get('crm')).toBe('old-value');
  clock.time = SECRET_MAX_AGE_MS;
  expect(await reader.get('crm')).toBe('new-value');
  expect(asked).toHaveLength(2);
});

test('continues with the value it knows while Secrets Manager is away', async () => {
  const { reader, clock } = setUp(['old-value', new Error('away'), 'new-value']);
  await reader.get('crm');
  clock.time = SECRET_MAX_AGE_MS;
  expect(await reader.get('crm')).toBe('old-value');
  expect(await reader.get('crm')).toBe('new-value');
});

test('does not keep a failure', async () => {
  const { reader } = setUp([new Error('away'), 'value-1']);
  await expect(reader.get('crm')).rejects.toMatchObject({ code: 'secret_unavailable' });
  expect(await reader.get('crm')).toBe('value-1');
});

test.each([
  [named('AccessDeniedException', 'no'), 'secret_unreadable'],
  [named('ResourceNotFoundException', 'no'), 'secret_unreadable'],
  [named('InternalServiceError', 'oops'), 'secret_unavailable'],
])('fails for %s with code %s', async (error, code) => {
  await expect(setUp([error]).reader.get('crm')).rejects.toMatchObject({
    code,
    message: expect.stringContaining('secret "crm"'),
  });
});

test('fails for a secret without text', async () => {
  await expect(setUp([undefined]).reader.get('crm')).rejects.toThrow('secret "crm" holds no text');
});

test('refuses a name that the service was not given, and names those it was', async () => {
  await expect(setUp([]).reader.get('cmr')).rejects.toThrow('no secret "cmr"; it has "anthropic", "crm"');
});

test('blacks out what it has read, and leaves short texts alone', async () => {
  const { reader } = setUp(['long-secret-value', 'abc']);
  await reader.get('crm');
  await reader.get('anthropic');
  expect(reader.redact('abc: long-secret-value, long-secret-value')).toBe('abc: ***, ***');
});

test('spreads the next readings of environments over the last fifth of the age', async () => {
  const clock = { time: 0, now: () => clock.time, sleep: () => Promise.resolve() };
  let asked = 0;
  const fetch = async () => {
    asked += 1;
    return `value-${asked}`;
  };
  const reader = new SecretReader(ARNS, clock, { fetch, random: () => 0.999_999 });
  await reader.get('crm');
  clock.time = SECRET_MAX_AGE_MS * 0.8 - 1;
  expect(await reader.get('crm')).toBe('value-1');
  clock.time = SECRET_MAX_AGE_MS * 0.8 + 1;
  expect(await reader.get('crm')).toBe('value-2');
});

test('reads once for many whose value was not accepted', async () => {
  const { reader, asked } = setUp(['old-value', 'new-value']);
  await reader.get('crm');
  expect(await reader.refreshIfRejected('crm', 'old-value')).toBe('new-value');
  expect(await reader.refreshIfRejected('crm', 'old-value')).toBe('new-value');
  expect(asked).toHaveLength(2);
});

describe('in place of a value that was not accepted', () => {
  const absent = named('ResourceNotFoundException', 'no such stage');

  test('gives the one that was put since, to any caller', async () => {
    const { reader, asked } = setUp(['old-value', 'new-value']);
    await reader.get('crm');
    expect(await reader.alternativeTo('crm', 'old-value')).toBe('new-value');
    expect(await reader.alternativeTo('crm', 'old-value')).toBe('new-value');
    expect(await reader.get('crm')).toBe('new-value');
    expect(asked).toHaveLength(2);
  });

  test('gives the former one when none was put since, and that one again when there is no other', async () => {
    const former = setUp(['new-value', 'new-value', 'old-value']);
    await former.reader.get('crm');
    expect(await former.reader.alternativeTo('crm', 'new-value')).toBe('old-value');
    const only = setUp(['one-value', 'one-value', absent]);
    await only.reader.get('crm');
    expect(await only.reader.alternativeTo('crm', 'one-value')).toBe('one-value');
  });

  test('gives the new one when the rotation ends between the reads of the current and of the former one', async () => {
    const { reader } = setUp(['old-value', 'old-value', 'old-value', 'new-value']);
    await reader.get('crm');
    expect(await reader.alternativeTo('crm', 'old-value')).toBe('new-value');
  });

  test('fails when the secret cannot be read any more', async () => {
    const { reader } = setUp(['old-value', named('AccessDeniedException', 'no')]);
    await reader.get('crm');
    await expect(reader.alternativeTo('crm', 'old-value')).rejects.toMatchObject({ code: 'secret_unreadable' });
  });
});

test('has no former value when there is none, or it cannot be read', async () => {
  const { reader } = setUp([named('ResourceNotFoundException', 'no such stage'), new Error('away'), 'old-value']);
  expect(await reader.previous('crm')).toBeUndefined();
  expect(await reader.previous('crm')).toBeUndefined();
  expect(await reader.previous('crm')).toBe('old-value');
});

test('continues with a former value that was accepted, but not for long', async () => {
  const { reader, clock } = setUp(['new-value', 'old-value', 'new-value']);
  await reader.get('crm');
  const former = await reader.previous('crm');
  reader.preferValue('crm', former ?? '');
  await Promise.resolve();
  expect(await reader.get('crm')).toBe('old-value');
  clock.time = 30_000;
  expect(await reader.get('crm')).toBe('new-value');
});
