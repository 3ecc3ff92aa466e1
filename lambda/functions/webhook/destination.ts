import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { describeError } from '../../shared/errors';
import { isPublicAddress } from '../../shared/http/public-address';

/** A destination that webhooks must not go to, whichever caller asks for it. */
export class RefusedDestination extends Error {
  override readonly name = 'RefusedDestination';

  /** @param lasting the URL itself is refused: no change of its host's addresses will help */
  constructor(
    message: string,
    readonly lasting: boolean,
  ) {
    super(message);
  }
}

/** All addresses of a host name. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

export const systemResolver: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

export interface DestinationOptions {
  /** Host names, in lower case, that may have private addresses and be spoken to over plain HTTP. */
  readonly privateHosts: readonly string[];
  readonly resolve: Resolve;
}

/** A URL that may be posted to, and the addresses that were checked: the connection must go to one of these. */
export interface Destination {
  readonly url: URL;
  readonly addresses: readonly LookupAddress[];
}

/**
 * Checks the URL of a webhook. Callers choose it, so it must not lead to what only this function can reach: it has to be
 * HTTPS, and every address of its host has to be public. One that is not is enough to refuse it: otherwise which of them
 * is connected to would be a matter of luck.
 *
 * @throws RefusedDestination saying what is wrong
 * @throws Error when the host has no address, or the resolver does not answer
 */
export async function checkDestination(url: URL, { privateHosts, resolve }: DestinationOptions): Promise<Destination> {
  const exempt = privateHosts.includes(url.hostname.toLowerCase());
  if (url.protocol !== 'https:' && !(exempt && url.protocol === 'http:')) {
    throw new RefusedDestination(
      `${url.protocol}//${url.host} is refused: webhooks go over https; plain http is for the private hosts of the deployment`,
      true,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new RefusedDestination(
      `the URL of ${url.host} is refused: it carries a user name or password; verify the signature instead`,
      true,
    );
  }
  const addresses = await addressesOf(url.hostname, resolve);
  const wrong = exempt ? undefined : addresses.find(({ address }) => !isPublicAddress(address));
  if (wrong !== undefined) {
    throw new RefusedDestination(
      `${url.host} is refused: its address ${wrong.address} is not public; private hosts have to be named in the deployment`,
      false,
    );
  }
  return { url, addresses };
}

async function addressesOf(hostname: string, resolve: Resolve): Promise<readonly LookupAddress[]> {
  const literal = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  const family = isIP(literal);
  if (family !== 0) {
    return [{ address: literal, family }];
  }
  const addresses = await resolve(hostname).catch((cause: unknown) => {
    throw new Error(`${hostname} could not be resolved: ${describeError(cause)}`, { cause });
  });
  if (addresses.length === 0) {
    throw new Error(`${hostname} has no address`);
  }
  return addresses;
}
