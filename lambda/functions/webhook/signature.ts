import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** There is no key to sign with. A text that is no key is not repeated: it may be a secret all the same. */
export class SigningKeyError extends Error {
  override readonly name = 'SigningKeyError';
}

/**
 * The bytes of a signing key: `whsec_` and base64, as https://www.standardwebhooks.com writes keys, or any other text as
 * it stands.
 *
 * @throws SigningKeyError
 */
export function signingKeyOf(text: string): Buffer {
  if (text === '') {
    throw new SigningKeyError('the signing key of webhooks is empty: put a value into its secret');
  }
  if (!text.startsWith(PREFIX)) {
    return Buffer.from(text);
  }
  const encoded = text.slice(PREFIX.length).trim();
  if (!BASE64.test(encoded)) {
    throw new SigningKeyError(`the signing key of webhooks starts with ${PREFIX}, and base64 must follow: it does not`);
  }
  return Buffer.from(encoded, 'base64');
}

export interface Signed {
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly body: string;
}

/** Value of the signature header: one signature for each key, so that receivers with either accept it. */
export function signatureOf({ id, timestamp, body }: Signed, keys: readonly Buffer[]): string {
  return keys
    .map((key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`)
    .join(' ');
}
