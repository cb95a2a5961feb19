import { createHmac, randomBytes, randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { verifyTwilioSignature } from './signature.ts';
import { parseTwilioStatus } from './status.ts';

/** As Twilio documents it: URL, then each field's name and value in order of names, HMAC-SHA1, base64. */
const sign = (token: string, url: string, params: Record<string, string>): string =>
  createHmac('sha1', token)
    .update(
      Object.keys(params)
        .toSorted()
        .reduce((text, name) => text + name + params[name], url),
    )
    .digest('base64');

const words = ['Ana', 'Zoë', '🚒', 'a b', 'x&y=z', '%41', '', "O'Brien", '+15005550009', '日本', '"q"', 'A\nB'];
const pick = <T>(list: readonly T[]): T => list[randomInt(list.length)] as T;
const randomParams = (): Record<string, string> =>
  Object.fromEntries([
    ['MessageSid', `SM${randomBytes(16).toString('hex')}`],
    ...Array.from({ length: randomInt(8) }, (_, i) => [`F${i}${pick(['', 'x', 'Y'])}`, pick(words)]),
  ]);

type Request = { authTokens: string[]; signature: string; url: string; params: Record<string, string> };

/** Each changes something that the signature covers, or the signature itself. */
const FORGERIES: Record<string, (request: Request) => Request> = {
  'a field changed': (r) => ({ ...r, params: { ...r.params, MessageSid: `${r.params.MessageSid}0` } }),
  'a field added': (r) => ({ ...r, params: { ...r.params, Zz: '1' } }),
  'a field left out': (r) => ({ ...r, params: Object.fromEntries(Object.entries(r.params).filter(([name]) => name !== 'MessageSid')) }),
  'another path': (r) => ({ ...r, url: `${r.url}x` }),
  'another host': (r) => ({ ...r, url: r.url.replace('alert.', 'evil.') }),
  'a bit of the signature': (r) => {
    const bytes = Buffer.from(r.signature, 'base64');
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    return { ...r, signature: bytes.toString('base64') };
  },
  'a signature cut short': (r) => ({ ...r, signature: r.signature.slice(0, -4) }),
  'no signature': (r) => ({ ...r, signature: '' }),
  'another token': (r) => ({ ...r, authTokens: [randomBytes(16).toString('hex'), ''] }),
};

describe('signatures', () => {
  test('10,000 requests: every genuine one passes under either token, every forged one fails', () => {
    const wrong: string[] = [];
    for (let i = 0; i < 10_000; i++) {
      const tokens = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')];
      const url = `https://alert.example.org${pick(['', ':8443'])}/hooks/twilio/status/${randomBytes(12).toString('hex')}${pick(['', '?a=1', '?q=a%20b&c'])}`;
      const params = randomParams();
      const genuine: Request = { authTokens: tokens, signature: sign(pick(tokens), url, params), url, params };
      if (!verifyTwilioSignature(genuine)) wrong.push(`refused ${JSON.stringify(genuine)}`);
      const [name, forge] = pick(Object.entries(FORGERIES));
      if (verifyTwilioSignature(forge(genuine))) wrong.push(`accepted ${name}: ${JSON.stringify(genuine)}`);
    }
    expect(wrong).toEqual([]);
  });

  test('malformed input is a plain no', () => {
    const params = { a: '1' };
    for (const url of ['', 'no url', 'https://'])
      expect(verifyTwilioSignature({ authTokens: ['t'], signature: sign('t', url, params), url, params })).toBe(false);
    expect(verifyTwilioSignature({ authTokens: [], signature: 'x', url: 'https://a.example/', params })).toBe(false);
    expect(verifyTwilioSignature({ authTokens: ['t'], signature: undefined, url: 'https://a.example/', params })).toBe(false);
    expect(verifyTwilioSignature({ authTokens: ['t'], signature: 'x'.repeat(1e6), url: 'https://a.example/', params })).toBe(false);
  });
});

describe('status callbacks', () => {
  const read = (MessageStatus: string, ErrorCode?: string) => parseTwilioStatus({ MessageSid: 'SM1', MessageStatus, ErrorCode });

  test('in whatever order and however often they come, the highest rank is the same', () => {
    const statuses = ['queued', 'sending', 'sent', 'undelivered', 'delivered', 'sent', 'queued', 'delivered'];
    for (let i = 0; i < 200; i++) {
      const shuffled = statuses.toSorted(() => randomInt(3) - 1);
      const final = shuffled.map((status) => read(status)).reduce((best, one) => (one && one.rank > (best?.rank ?? 0) ? one : best), undefined);
      expect(final).toMatchObject({ state: 'delivered', rank: 6 });
    }
  });

  test.each([
    ['sent', undefined, { state: 'accepted', rank: 3, code: null, address: null }],
    ['undelivered', '30003', { state: 'failed', code: '30003', address: null }],
    ['undelivered', '30006', { state: 'failed', code: '30006', address: 'invalid' }],
    ['failed', '21610', { state: 'failed', code: '21610', address: 'opted_out' }],
    ['failed', '99999', { state: 'failed', code: '99999', address: null }],
    ['read', '', { state: 'delivered', rank: 7, code: null }],
    ['received', undefined, { state: null, rank: 0 }],
    ['constructor', undefined, { state: null, rank: 0 }],
  ])('%s %s', (status, code, expected) => {
    expect(read(status, code)).toMatchObject({ providerId: 'SM1', ...expected });
  });

  test('a form that is no status callback', () => {
    expect(parseTwilioStatus({ Body: 'hi' })).toBeUndefined();
    expect(parseTwilioStatus({ MessageSid: 'SM1' })).toBeUndefined();
    expect(parseTwilioStatus({ SmsSid: 'SM1', SmsStatus: 'sent' })).toMatchObject({ providerId: 'SM1', state: 'accepted' });
  });
});
