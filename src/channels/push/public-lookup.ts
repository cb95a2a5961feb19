import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Special-purpose ranges (IANA registries, RFC 6890 and successors), where no push service can be. */
const V4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier NAT
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link local, cloud metadata
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
];
/** The same inside 2000::/3, which is the only global range. Everything outside it is refused. */
const V6 = [
  '2001::/23', // protocol assignments, Teredo, ORCHID
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4: an IPv4 address inside
  '3fff::/20', // documentation
];

const blocked = new BlockList();
const globalV6 = new BlockList();
for (const [ranges, family] of [
  [V4, 'ipv4'],
  [V6, 'ipv6'],
] as const)
  for (const range of ranges) {
    const [net = '', bits] = range.split('/');
    blocked.addSubnet(net, Number(bits), family);
  }
globalV6.addSubnet('2000::', 3, 'ipv6');

/** Whether an address is on the public internet. IPv4 mapped into IPv6 counts as not public, whatever it maps. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !blocked.check(address, 'ipv4');
  return family === 6 && globalV6.check(address, 'ipv6') && !blocked.check(address, 'ipv6');
}

export type Resolve = (host: string, done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void;

const resolveHost: Resolve = (host, done) => systemLookup(host, { all: true }, done);

/**
 * Makes the `lookup` for net.connect and tls.connect. They connect to the very addresses that were checked, so a second, other
 * DNS answer (rebinding) changes nothing. One private address among several refuses all.
 */
export const publicLookup =
  (resolve: Resolve = resolveHost): LookupFunction =>
  (host, options, done) => {
    resolve(host, (error, addresses) => {
      if (error) return done(error, []);
      const first = addresses[0];
      if (!first || !addresses.every(({ address }) => isPublicAddress(address))) {
        const refused: NodeJS.ErrnoException = new Error('the push service resolves to an address that is not public');
        refused.code = 'EPRIVATE';
        return done(refused, []);
      }
      return options.all ? done(null, addresses) : done(null, first.address, first.family);
    });
  };
