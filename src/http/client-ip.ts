import type { HttpBindings } from '@hono/node-server';
import type { Context as HonoContext } from 'hono';
import { isIPv6 } from 'node:net';
import proxyaddr from 'proxy-addr';
import type { AppEnv } from './env.ts';

export type ClientIp = (c: HonoContext<AppEnv>) => string;

/**
 * Tells the client's address: that of the socket's peer, or what X-Forwarded-For says where the peer is one of
 * `trustedProxies` (CIDR list). It is 'unknown' without a socket.
 */
export function clientIpOf(trustedProxies: readonly string[]): ClientIp {
  const trust = proxyaddr.compile([...trustedProxies]);
  return (c) => {
    const incoming = (c.env as Partial<HttpBindings> | undefined)?.incoming;
    return incoming ? proxyaddr(incoming, trust) : 'unknown';
  };
}

/** The key by which a limit counts: an IPv4 address, or the /64 network that one IPv6 subscriber holds. */
export function limitKey(ip: string): string {
  if (!isIPv6(ip)) return ip;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  if (mapped?.[1]) return mapped[1];
  const [head = '', tail] = ip.split('%', 1)[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) while (groups.length < 4) groups.push('0');
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
