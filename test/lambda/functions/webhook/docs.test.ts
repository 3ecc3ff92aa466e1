import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { signatureOf, signingKeyOf } from '../../../../lambda/functions/webhook/signature';

type IsAuthentic = (headers: Record<string, string | undefined>, body: string, key: string) => boolean;

/** The function that docs/webhooks.md tells receivers to use. */
function documented(): IsAuthentic {
  const page = readFileSync(join(__dirname, '../../../../docs/webhooks.md'), 'utf8');
  const block = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].find(([, text]) => text?.includes('isAuthentic'))?.[1];
  const { code } = transformSync(block ?? '', { loader: 'ts', format: 'cjs' });
  const module = { exports: {} as { isAuthentic: IsAuthentic } };
  new Function('require', 'module', code)(require, module);
  return module.exports.isAuthentic;
}

const isAuthentic = documented();
const body = '{"type":"task.succeeded","data":{"name":"grüße"}}';

function signed(keys: readonly string[], changes: { readonly id?: string; readonly age?: number } = {}) {
  const { id = 't-1', age = 0 } = changes;
  const timestamp = Math.floor(Date.now() / 1_000) - age;
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatureOf({ id, timestamp, body }, keys.map(signingKeyOf)),
  };
}

const ENCODED = `whsec_${Buffer.from('a key of 24 bytes or more').toString('base64')}`;

test.each(['some text', ENCODED])('what is sent is authentic, with the key %s', (key) => {
  expect(isAuthentic(signed([key]), body, key)).toBe(true);
});

test('while a key is changed, with either', () => {
  const headers = signed(['new', 'old']);
  expect(['new', 'old', 'other'].map((key) => isAuthentic(headers, body, key))).toEqual([true, true, false]);
});

test('refuses another body, id or time, an old request, and one without headers', () => {
  const headers = signed(['key']);
  expect(isAuthentic(headers, `${body} `, 'key')).toBe(false);
  expect(isAuthentic({ ...headers, 'webhook-id': 't-2' }, body, 'key')).toBe(false);
  expect(isAuthentic({ ...headers, 'webhook-timestamp': String(Date.now() / 1_000 + 1) }, body, 'key')).toBe(false);
  expect(isAuthentic(signed(['key'], { age: 301 }), body, 'key')).toBe(false);
  expect(isAuthentic(signed(['key'], { age: -301 }), body, 'key')).toBe(false);
  expect(isAuthentic({}, body, 'key')).toBe(false);
  expect(isAuthentic({ ...headers, 'webhook-signature': 'v1,' }, body, 'key')).toBe(false);
});
