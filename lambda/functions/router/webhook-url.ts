import { isIP } from 'node:net';
import { isPublicAddress } from '../../shared/http/public-address';

/** Where webhooks may go. */
export interface WebhookPolicy {
  /** Host names, in lower case, that may have private addresses, and be spoken to over plain HTTP. */
  readonly privateHosts: readonly string[];
}

/**
 * What is wrong with the URL of a webhook, as far as it can be told without asking for the host's addresses: those are
 * checked before each delivery, for they may be others by then.
 */
export function webhookProblem(text: string, { privateHosts }: WebhookPolicy): string | undefined {
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    return 'must not carry a user name or password: verify the signature of what arrives instead';
  }
  // In lower case, and with addresses in their plain form, however they were written.
  const host = url.hostname;
  if (privateHosts.includes(host)) {
    return undefined;
  }
  if (url.protocol !== 'https:') {
    return `must be an https URL, got ${url.protocol}//${host}`;
  }
  const literal = host.startsWith('[') ? host.slice(1, -1) : host;
  const isHere = host === 'localhost' || host.endsWith('.localhost');
  return isHere || (isIP(literal) !== 0 && !isPublicAddress(literal))
    ? `must lead to a public address, got ${host}: private hosts have to be named where the agent is deployed`
    : undefined;
}
