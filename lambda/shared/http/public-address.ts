import ipaddr from 'ipaddr.js';

/** What IANA has given out for global unicast so far; the rest of IPv6 is special or unassigned. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Whether the address is one that anybody on the internet may have: not of this machine, of a private network, of a cloud's
 * metadata service, and none that carries such an IPv4 address within it (NAT64, 6to4, Teredo).
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) {
    return false;
  }
  // An IPv4 address that is written as an IPv6 one is judged as the IPv4 address that will be connected to.
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') {
    return false;
  }
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(GLOBAL_UNICAST);
}
