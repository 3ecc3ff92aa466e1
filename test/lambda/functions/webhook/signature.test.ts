import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { signatureOf, signingKeyOf } from '../../../../lambda/functions/webhook/signature';

test('signs as the example of Standard Webhooks does', () => {
  // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: key, message and signature.
  const key = signingKeyOf('whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD');
  const signed = {
    id: 'msg_27UH4WbU6Z5A5EzD8u03UvzRbpk',
    timestamp: 1_649_367_553,
    body: '{"email":"test@example.com","username":"test_user"}',
  };
  expect(signatureOf(signed, [key])).toBe('v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=');
});

test('each key gives a signature of its own', () => {
  const signed = { id: 'a', timestamp: 1, body: '{}' };
  const [old, next] = ['old', 'new'].map((key) => Buffer.from(key)) as [Buffer, Buffer];
  expect(signatureOf(signed, [next, old])).toBe(`${signatureOf(signed, [next])} ${signatureOf(signed, [old])}`);
});

test('a key that is no whsec_ key is its own text', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }).filter((text) => !text.startsWith('whsec_')),
      (text) => {
        expect(signingKeyOf(text)).toEqual(Buffer.from(text));
      },
    ),
  );
  expect(signingKeyOf(`whsec_${Buffer.from('key').toString('base64')}\n`)).toEqual(Buffer.from('key'));
});

test.each(['', 'whsec_', 'whsec_not base64!'])('refuses the key "%s"', (text) => {
  expect(() => signingKeyOf(text)).toThrow(/the signing key of webhooks/);
});

test('the signature is the HMAC of id, timestamp and body', () => {
  const expected = createHmac('sha256', 'k').update('id.7.{"a":1}').digest('base64');
  expect(signatureOf({ id: 'id', timestamp: 7, body: '{"a":1}' }, [Buffer.from('k')])).toBe(`v1,${expected}`);
});
