import type { LookupAddress } from 'node:dns';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Problem } from '#platform/errors.ts';
import { assertAllowedEndpoint, isPlainPath, isTestOrigin } from './endpoint.ts';
import { isPublicAddress, publicLookup } from './public-lookup.ts';

const extras = ['push.relief.example', '.pool.relief.example', 'http://127.0.0.1:8090', 'https://localhost:8443'];

const allowed = [
  'https://fcm.googleapis.com/fcm/send/abc:def',
  'https://updates.push.services.mozilla.com/wpush/v2/gAAA',
  'https://web.push.apple.com/QAbc',
  'https://api.push.apple.com/3/device/1',
  'https://db5p.notify.windows.com/w/?token=BQ%3d',
  'https://FCM.googleapis.com:443/x',
  'https://push.relief.example/1',
  'https://a.pool.relief.example/1',
  'http://127.0.0.1:8090/push/1',
  'https://localhost:8443/push/1',
];

const refused = [
  '',
  'fcm.googleapis.com',
  'http://fcm.googleapis.com/x',
  'https://fcm.googleapis.com:8443/x',
  'https://user@fcm.googleapis.com/x',
  'https://user:pw@fcm.googleapis.com/x',
  'https://fcm.googleapis.com/x#fragment',
  'https://fcm.googleapis.com.evil.example/x',
  'https://evil-fcm.googleapis.com/x',
  'https://fcm.googleapis.com@evil.example/x',
  'https://fcm.googleapis.com\\@evil.example/x',
  'https://evil.example/fcm.googleapis.com/x',
  'https://evil.example/?x=https://fcm.googleapis.com/',
  'https://evil.example/x.push.services.mozilla.com/',
  'https://push.services.mozilla.com.evil.example/',
  'https://push.services.mozilla.com/x',
  'https://evilpush.services.mozilla.com/x',
  'https://notify.windows.com/x',
  'https://evilnotify.windows.com/x',
  'https://xn--fcm-googleapis-com.example/x',
  'https://fcm.googleapis.com./x',
  'https://fcm。googleapis。com.evil.example/x',
  'https://a.push.relief.example/1',
  'https://pool.relief.example/1',
  'http://push.relief.example/1',
  'http://127.0.0.1:8091/push/1',
  'https://127.0.0.1:8090/push/1',
  'http://127.0.0.1/push/1',
  'http://127.0.0.1:80/push/1',
  'http://localhost:8090/push/1',
  'https://127.0.0.1/x',
  'https://127.1/x',
  'https://2130706433/x',
  'https://0x7f000001/x',
  'https://0177.0.0.1/x',
  'https://0/x',
  'https://[::1]/x',
  'https://[::ffff:127.0.0.1]/x',
  'https://[::ffff:7f00:1]/x',
  'https://[fe80::1]/x',
  'https://[fd00::1]/x',
  'https://169.254.169.254/latest/meta-data/',
  'https://metadata.google.internal/x',
  'https://10.0.0.1/x',
  'https://100.64.0.1/x',
  'https://192.168.1.1/x',
  'https://localhost/x',
  'https://localhost.localdomain/x',
  'ftp://fcm.googleapis.com/x',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:text/plain,x',
  'gopher://fcm.googleapis.com/x',
  'ws://fcm.googleapis.com/x',
  'blob:https://fcm.googleapis.com/x',
  `https://fcm.googleapis.com/${'x'.repeat(2_100)}`,
  'https://googleapis.com/x',
  'https://sub.fcm.googleapis.com/x',
  'https://web.push.apple.com.evil.example/x',
  'https://push.apple.com/x',
];

describe('endpoints', () => {
  test.each(allowed)('takes %s', (endpoint) => {
    expect(assertAllowedEndpoint(endpoint, extras).href).toBe(new URL(endpoint).href);
  });

  test.each(refused)('refuses %s', (endpoint) => {
    let caught: unknown;
    try {
      assertAllowedEndpoint(endpoint, extras);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(Problem);
    expect(caught).toMatchObject({ status: 422, code: 'push_endpoint_refused', errors: [{ field: 'endpoint' }] });
  });

  test('a path that counts as plain is what URL makes of it', () => {
    const origin = 'https://fcm.googleapis.com';
    const piece = fc.oneof(
      fc.constantFrom('/', '.', '..', '%2e', '%2E', '?', '#', '%', 'a', "'", '"', '<', '\\', ' ', '\t', '|', '^', '`', '{', 'é', '@', ':'),
      fc.string(),
    );
    let plain = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const endpoint = `${origin}/${pieces.join('')}`;
        if (!isPlainPath(endpoint, origin.length)) return;
        plain++;
        const { pathname, search, hash, href } = new URL(endpoint);
        expect([pathname + search, hash, href]).toEqual([endpoint.slice(origin.length), '', endpoint]);
      }),
      { numRuns: 5_000 },
    );
    expect(plain).toBeGreaterThan(200);
    expect(allowed.slice(0, 3).every((endpoint) => isPlainPath(endpoint, endpoint.indexOf('/', 8)))).toBe(true);
    expect(isPlainPath(`${origin}/${'x'.repeat(2_100)}`, origin.length)).toBe(false);
  });

  test('only an origin named in full may be private', () => {
    expect(extras.map((extra) => isTestOrigin(new URL(extra.includes('://') ? extra : `https://${extra}`), extras))).toEqual([false, false, true, true]);
  });
});

describe('addresses', () => {
  const open = ['8.8.8.8', '142.250.1.1', '100.63.255.255', '172.32.0.1', '2607:f8b0::1', '2a00:1450::1'];
  const closed = [
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.168.0.1',
    '198.18.0.1',
    '203.0.113.9',
    '224.0.0.1',
    '239.255.255.255',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::7f00:1',
    '64:ff9b::7f00:1',
    '100::1',
    '2001:db8::1',
    '2001::1',
    '2002:7f00:1::',
    'fc00::1',
    'fd12::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    'localhost',
    '',
    '1.2.3',
  ];
  test.each(open)('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));
  test.each(closed)('%s is not', (address) => expect(isPublicAddress(address)).toBe(false));

  const ask = (addresses: LookupAddress[], all: boolean) =>
    new Promise((done) =>
      publicLookup((_host, answer) => answer(null, addresses))('push.example', { all }, (error, address, family) =>
        done(error ? error.code : [address, family]),
      ),
    );

  test('a name is connected to at the addresses that were checked, and only if all are public', async () => {
    const v4 = { address: '8.8.8.8', family: 4 };
    expect(await ask([v4], false)).toEqual(['8.8.8.8', 4]);
    expect(await ask([v4], true)).toEqual([[v4], undefined]);
    expect(await ask([v4, { address: '127.0.0.1', family: 4 }], true)).toBe('EPRIVATE');
    expect(await ask([], true)).toBe('EPRIVATE');
  });
});
