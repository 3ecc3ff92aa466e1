import fc from 'fast-check';
import { isPublicAddress } from '../../../../lambda/shared/http/public-address';

test.each([
  '1.1.1.1',
  '52.94.236.248',
  '172.15.255.255',
  '172.32.0.1',
  '2606:4700:4700::1111',
  '2a00:1450:4001:81b::200e',
])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each([
  ['this machine', '127.0.0.1'],
  ['this machine', '127.255.255.254'],
  ['this machine', '::1'],
  ['no address', '0.0.0.0'],
  ['no address', '0.1.2.3'],
  ['no address', '::'],
  ['private', '10.0.0.1'],
  ['private', '172.16.0.1'],
  ['private', '172.31.255.255'],
  ['private', '192.168.1.1'],
  ['the metadata of instances', '169.254.169.254'],
  ['the metadata of instances over IPv6', 'fd00:ec2::254'],
  ['the credentials of containers', '169.254.170.2'],
  ['shared by carriers', '100.64.0.1'],
  ['benchmarking', '198.18.0.1'],
  ['documentation', '192.0.2.1'],
  ['documentation', '198.51.100.1'],
  ['documentation', '203.0.113.1'],
  ['documentation', '2001:db8::1'],
  ['documentation', '3fff::1'],
  ['reserved', '192.0.0.8'],
  ['reserved', '240.0.0.1'],
  ['multicast', '224.0.0.1'],
  ['multicast', 'ff02::1'],
  ['broadcast', '255.255.255.255'],
  ['6to4 relays', '192.88.99.1'],
  ['link local', 'fe80::1'],
  ['link local with a zone', 'fe80::1%eth0'],
  ['site local', 'fec0::1'],
  ['unique local', 'fc00::1'],
  ['unique local', 'fdff::1'],
  ['IPv4 within IPv6', '::ffff:127.0.0.1'],
  ['IPv4 within IPv6', '::ffff:a00:1'],
  ['IPv4 within IPv6, the deprecated way', '::127.0.0.1'],
  ['translated IPv4', '::ffff:0:10.0.0.1'],
  ['NAT64', '64:ff9b::7f00:1'],
  ['local NAT64', '64:ff9b:1::a00:1'],
  ['6to4', '2002:7f00:1::1'],
  ['Teredo', '2001:0:7f00:1::1'],
  ['discarded', '100::1'],
  ['segment routing', '5f00::1'],
  ['unassigned', '4000::1'],
  ['unassigned', 'e000::1'],
  ['no address at all', 'localhost'],
  ['no address at all', ''],
])('refuses %s: %s', (_, address) => {
  expect(isPublicAddress(address)).toBe(false);
});

const octet = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.tuple(octet, octet, octet, octet);

/** The special blocks of https://www.iana.org/assignments/iana-ipv4-special-registry, by hand. */
function isSpecial([a, b]: readonly [number, number, number, number]): boolean {
  return (
    [0, 10, 127].includes(a) ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 198 && (b === 18 || b === 19))
  );
}

test('no special IPv4 address is public, and none becomes so by being written as IPv6', () => {
  fc.assert(
    fc.property(ipv4, (octets) => {
      const text = octets.join('.');
      const [a, b, c, d] = octets;
      const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
      expect(isPublicAddress(`::ffff:${text}`)).toBe(isPublicAddress(text));
      expect(isPublicAddress(`::ffff:${hex}`)).toBe(isPublicAddress(text));
      expect([`::${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`].filter(isPublicAddress)).toEqual([]);
      if (isSpecial(octets)) {
        expect(isPublicAddress(text)).toBe(false);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('of IPv6, what is public begins with 2 or 3', () => {
  const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const first = Number.parseInt(groups[0] ?? '', 16);
      if (isPublicAddress(groups.join(':'))) {
        expect(first >> 13).toBe(1);
      }
    }),
    { numRuns: 2_000 },
  );
});
