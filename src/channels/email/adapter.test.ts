import { generateKeyPairSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { type HeaderValue, type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, describe, expect, test } from 'vitest';
import type { MailContent, SlotValues, Target } from '#domain/delivery/channel.ts';
import { Recall } from '#domain/delivery/recall.ts';
import { createLog } from '#platform/log.ts';
import { type SmtpScript, startSmtp, startTcp } from '#testing/loopback.ts';
import { createEmailAdapter, type EmailAdapterOptions } from './adapter.ts';

const REF = `0a${'0123456789abcdef'.repeat(2)}`;
const SENDER = { id: 3, address: 'Stadt Zürich <alerts@example.org>' };
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

interface Received {
  readonly from: string;
  readonly to: string[];
  readonly raw: Buffer;
  readonly mail: ParsedMail;
}

/** A real SMTP server that keeps what it got. */
async function mailServer(options: SMTPServerOptions = {}): Promise<{ port: number; received: Received[]; server: SMTPServer }> {
  const received: Received[] = [];
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    onData: (stream, { envelope }, done) => {
      void buffer(stream).then(async (raw) => {
        received.push({
          from: envelope.mailFrom ? envelope.mailFrom.address : '',
          to: envelope.rcptTo.map((one) => one.address),
          raw,
          mail: await simpleParser(raw),
        });
        done(null, 'Ok: queued as 4XyZ9');
      });
    },
    ...options,
  });
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready));
  closers.push(() => new Promise<void>((done) => server.close(done)));
  return { port: (server.server.address() as AddressInfo).port, received, server };
}

function adapterFor(port: number, change: Partial<EmailAdapterOptions> = {}) {
  const adapter = createEmailAdapter({
    smtpUrl: `smtp://127.0.0.1:${port}`,
    mailFrom: 'muster@example.org',
    returnDomain: 'bounces.example.org',
    log: createLog('test', 'silent'),
    deadlineMs: 2_000,
    ...change,
  });
  closers.push(() => adapter.close());
  return adapter;
}

const target = (slots: SlotValues = {}, address = 'ana@example.net'): Target => ({ address, ref: REF, slots });
const letter = (change: Partial<MailContent> = {}): MailContent => ({
  channel: 'email',
  subject: ['Flood near ', { slot: 'firstName' }],
  text: ['Dear ', { slot: 'name' }, ',\ncome to the school: ', { slot: 'link' }, '\n.\nFrom here\n'],
  html: ['<p>Dear ', { slot: 'name' }, ', <a href="', { slot: 'link' }, '">answer</a></p>'],
  oneClickUnsubscribe: false,
  ...change,
});

/** Header lines as they went over the wire, unfolded. */
const headerLines = (raw: Buffer): string[] => (raw.toString('latin1').split('\r\n\r\n', 1)[0] ?? '').replace(/\r\n[ \t]+/g, ' ').split('\r\n');
const headerNames = (raw: Buffer): string[] => headerLines(raw).map((line) => line.split(':', 1)[0]?.toLowerCase() ?? '');
const textOf = ({ text }: ParsedMail): string | undefined => text?.replace(/\r\n/g, '\n');

describe('what arrives', () => {
  test('names, emoji, dots, very long lines', async () => {
    const { port, received } = await mailServer();
    const long = 'wörter'.repeat(2_000);
    const slots = { name: 'Zoë O’Brien-李小龍 🚒 <b>&', firstName: '李', link: `https://a.example/r/${'k7='.repeat(60)}?a=1&b=2` };
    const content = letter({ text: ['Dear ', { slot: 'name' }, '\n.\n..\nFrom here\n', long, { slot: 'link' }, { slot: 'link' }, ' \t\nend '] });
    expect((await adapterFor(port).prepare(content, SENDER).send(target(slots))).outcome).toEqual({ kind: 'accepted', providerId: '4XyZ9', units: 1 });
    const { mail, raw, from, to } = received[0]!;
    expect([from, to]).toEqual([`bounce+${REF}@bounces.example.org`, ['ana@example.net']]);
    expect(textOf(mail)).toBe(`Dear ${slots.name}\n.\n..\nFrom here\n${long}${slots.link}${slots.link} \t\nend `);
    expect(mail.html).toBe(`<p>Dear Zoë O’Brien-李小龍 🚒 &lt;b&gt;&amp;, <a href="${slots.link.replace('&', '&amp;')}">answer</a></p>`);
    expect(mail.subject).toBe('Flood near 李');
    expect(mail.from?.value).toEqual([{ name: 'Stadt Zürich', address: 'alerts@example.org' }]);
    expect([mail.to].flat()[0]?.value).toEqual([{ name: slots.name, address: 'ana@example.net' }]);
    expect(mail.messageId).toBe(`<${REF}@bounces.example.org>`);
    expect(
      raw
        .toString('latin1')
        .split('\r\n')
        .every((line) => line.length <= 998 && /^[\t\x20-\x7e]*$/.test(line)),
    ).toBe(true);
    expect(
      raw
        .toString('latin1')
        .split('\r\n\r\n')
        .slice(1)
        .join('')
        .split('\r\n')
        .every((line) => line.length <= 78),
    ).toBe(true);
    expect(headerNames(raw)).not.toContain('list-unsubscribe');
  });

  test('one-click unsubscribe for campaigns (RFC 8058)', async () => {
    const { port, received } = await mailServer();
    const prepared = adapterFor(port).prepare(letter({ oneClickUnsubscribe: true }), SENDER);
    await prepared.send(target({ unsubscribeLink: 'https://a.example/u/tok' }));
    expect(headerLines(received[0]!.raw)).toEqual(
      expect.arrayContaining(['List-Unsubscribe: <https://a.example/u/tok>', 'List-Unsubscribe-Post: List-Unsubscribe=One-Click', 'Precedence: bulk']),
    );
    for (const unsubscribeLink of ['', 'javascript:alert(1)', 'https://a.example/u/>,<mailto:x@y.z', 'https://a.example/ü', 'https://a.example/u x'])
      expect((await prepared.send(target({ unsubscribeLink }))).outcome).toEqual({ kind: 'rejected', code: 'bad_unsubscribe_link' });
    expect(received).toHaveLength(1);
  });

  test('a signature that covers what RFC 8058 asks for', async () => {
    const { port, received } = await mailServer();
    const privateKey = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }).privateKey;
    const adapter = adapterFor(port, { dkim: { domainName: 'example.org', keySelector: 's1', privateKey } });
    await adapter.prepare(letter({ oneClickUnsubscribe: true }), SENDER).send(target({ unsubscribeLink: 'https://a.example/u/tok' }));
    const dkim = received[0]!.mail.headers.get('dkim-signature') as Exclude<HeaderValue, string | string[] | Date>;
    const line = headerLines(received[0]!.raw).find((one) => one.startsWith('DKIM-Signature')) ?? '';
    expect(dkim).toBeDefined();
    expect(/; h=([^;]+)/.exec(line)?.[1]?.toLowerCase().replaceAll(' ', '').split(':')).toEqual(
      expect.arrayContaining(['from', 'to', 'subject', 'date', 'message-id', 'list-unsubscribe', 'list-unsubscribe-post']),
    );
  });

  test('150 hostile sets of values: no header, recipient or word more than meant', async () => {
    const { port, received } = await mailServer();
    const prepared = adapterFor(port).prepare(letter(), SENDER);
    const nasty = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.constantFrom(
        '=?utf-8?Q?=0D=0ABcc:_x@y.z?=',
        '=0D=0ABcc: x@y.z',
        '"><x',
        '\\',
        '\\"',
        '<a@b>',
        'a@b, c@d',
        '(c)',
        '.',
        '=',
        '=3D',
        ' lead',
        'trail ',
        'a;b:c',
      ),
    );
    const plain = (slots: SlotValues): boolean =>
      !/[\p{Cc}\u2028\u2029]/u.test(Object.values(slots).join('')) && Object.values(slots).every((value) => value.isWellFormed());
    await fc.assert(
      fc.asyncProperty(fc.record({ name: nasty, firstName: nasty, link: nasty }), async (slots) => {
        fc.pre(Object.values(slots).every((value) => value.isWellFormed()));
        received.length = 0;
        const { outcome } = await prepared.send(target(slots));
        if (!plain(slots)) {
          expect(outcome).toEqual({ kind: 'rejected', code: 'bad_slot_value' });
          return;
        }
        expect(outcome.kind).toBe('accepted');
        const { mail, raw, to } = received[0]!;
        expect(headerNames(raw)).toEqual(['to', 'subject', 'date', 'message-id', 'from', 'mime-version', 'auto-submitted', 'content-type']);
        expect([to, [mail.to].flat().flatMap((one) => one?.value.map((mailbox) => mailbox.address))]).toEqual([['ana@example.net'], ['ana@example.net']]);
        expect(textOf(mail)).toBe(`Dear${slots.name || slots.firstName ? ` ${slots.name}` : ''},\ncome to the school: ${slots.link}\n.\nFrom here\n`);
      }),
      { numRuns: 150 },
    );
  });

  test('200 texts of dots, equal signs and every kind of line break: each line ends with CRLF, and none is lost', async () => {
    const { port, received } = await mailServer();
    const adapter = adapterFor(port);
    const piece = fc.constantFrom(
      '.',
      '..',
      '\r',
      '\n',
      '\r\n',
      '\n.\n',
      '\r\n.\r\n',
      '\r.\r',
      '=',
      '=0D',
      'From ',
      'MAIL FROM:<x@y>',
      ' ',
      '\t',
      'ü',
      'x'.repeat(76),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (pieces) => {
        received.length = 0;
        const text = `${pieces.join('')}\nend`;
        const sent = adapter.prepare(letter({ text: [text, { slot: 'name' }], html: [text] }), SENDER).send(target({ name: '.' }));
        expect((await sent).outcome.kind).toBe('accepted');
        const { mail, raw } = received[0]!;
        expect(raw.toString('latin1')).not.toMatch(/\r(?!\n)|(?<!\r)\n/);
        expect(textOf(mail)).toBe(`${text.replace(/\r\n?/g, '\n')}.`);
        expect(received.length).toBe(1);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    'ana',
    'ana@',
    '@example.net',
    'a b@example.net',
    'ana@example.net>',
    'ana@example.net,bob@example.net',
    '"x y"@example.net',
    'ana@exa\rmple.net',
    '',
  ])('the address %j is refused before SMTP sees it', async (address) => {
    const { port, received } = await mailServer();
    expect((await adapterFor(port).prepare(letter(), SENDER).send(target({}, address))).outcome).toEqual({
      kind: 'rejected',
      code: 'bad_address',
      addressInvalid: true,
    });
    expect(received).toHaveLength(0);
  });

  test('a sender without an address of its own uses the installation’s, a bad one stops the sender', async () => {
    const { port, received } = await mailServer();
    const adapter = adapterFor(port);
    await adapter.prepare(letter(), { id: 3, address: '' }).send(target());
    expect(received[0]?.mail.from?.value[0]?.address).toBe('muster@example.org');
    expect((await adapter.prepare(letter(), { id: 3, address: 'nonsense' }).send(target())).outcome).toMatchObject({
      kind: 'misconfigured',
      code: 'bad_sender',
    });
  });
});

describe('connections', () => {
  test('are kept, never more than allowed, and replaced after 100 messages', async () => {
    const { server, port, received } = await mailServer();
    let opened = 0;
    let most = 0;
    server.server.on('connection', () => (most = Math.max(most, ++opened && server.connections.size + 1)));
    const prepared = adapterFor(port, { connections: 2, deadlineMs: 10_000 }).prepare(letter(), SENDER);
    const results = await Promise.all(Array.from({ length: 250 }, () => prepared.send(target())));
    expect(results.every(({ outcome }) => outcome.kind === 'accepted')).toBe(true);
    expect([received.length, opened >= 3 && opened <= 4]).toEqual([250, true]);
  });

  test('a relay that hung up meanwhile costs nothing: nothing had been sent, so the message goes over a fresh one', async () => {
    const { server, port, received } = await mailServer();
    const prepared = adapterFor(port).prepare(letter(), SENDER);
    await prepared.send(target());
    for (const connection of server.connections) connection.close();
    expect((await prepared.send(target())).outcome.kind).toBe('accepted');
    expect(received).toHaveLength(2);
  });

  test('a password is not sent in the clear to another machine', async () => {
    // 0.0.0.0 leads to this machine, but only the names of loopback are trusted to.
    const { port, lines } = await startSmtpCarrier({ EHLO: '250-test\r\n250 AUTH PLAIN' });
    const through = async (smtpUrl: string) => (await adapterFor(port, { smtpUrl }).prepare(letter(), SENDER).send(target())).outcome.kind;
    for (const smtpUrl of [`smtp://user:pw@0.0.0.0:${port}`, `smtp://user:pw@127.0.0.1:${port}?requireTLS=true`])
      expect(await through(smtpUrl)).toBe('misconfigured');
    expect(lines.some((line) => line.startsWith('AUTH'))).toBe(false);
    expect(await through(`smtp://user:pw@127.0.0.1:${port}`)).toBe('accepted');
    expect(lines.some((line) => line.startsWith('AUTH'))).toBe(true);
  });
});

async function startSmtpCarrier(script: SmtpScript) {
  const carrier = await startSmtp(script);
  closers.push(() => carrier.close());
  return carrier;
}

describe('what the relay says', () => {
  const table: [string, SmtpScript, object][] = [
    ['a closed door', { greeting: '554 5.7.1 Your address is blocked' }, { kind: 'misconfigured', code: '554 5.7.1' }],
    ['a greeting that never comes', { greeting: '' }, { kind: 'retryable' }],
    ['a cut greeting', { greeting: null }, { kind: 'retryable' }],
    ['a refused sender', { MAIL: '550 5.1.8 Sender domain does not exist' }, { kind: 'misconfigured', code: '550 5.1.8' }],
    ['a bare 550 to the recipient', { RCPT: '550 No such user here' }, { kind: 'gone', code: '550', reason: 'no_mailbox' }],
    ['a 550 for policy', { RCPT: '550 5.7.1 Blocked' }, { kind: 'rejected', code: '550 5.7.1' }],
    ['no such domain', { RCPT: '550 5.1.2 Host unknown' }, { kind: 'rejected', code: '550 5.1.2', addressInvalid: true }],
    ['a domain that takes no mail', { RCPT: '556 5.1.10 Null MX' }, { kind: 'rejected', code: '556 5.1.10', addressInvalid: true }],
    ['a full mailbox', { RCPT: '552 5.2.2 Mailbox full' }, { kind: 'rejected', code: '552 5.2.2' }],
    ['greylisting', { RCPT: '450 4.2.0 Greylisted' }, { kind: 'retryable', code: '450 4.2.0' }],
    ['a rate limit', { RCPT: '450 4.7.28 Unusual rate' }, { kind: 'throttled', code: '450 4.7.28', retryAfterMs: 5_000 }],
    ['an enhanced code that contradicts its reply', { RCPT: '450 5.1.1 Odd' }, { kind: 'retryable', code: '450 5.1.1' }],
    ['a cut after RCPT', { RCPT: null }, { kind: 'retryable' }],
    ['a cut instead of 354', { DATA: null }, { kind: 'retryable' }],
    ['DATA refused', { DATA: '451 4.3.0 Later' }, { kind: 'retryable', code: '451 4.3.0' }],
    ['authentication of the domain missing', { end: '550 5.7.26 Unauthenticated' }, { kind: 'misconfigured', code: '550 5.7.26' }],
    ['spam', { end: '554 5.7.1 Spam' }, { kind: 'rejected', code: '554 5.7.1' }],
    ['an answer to the final dot that belongs to DATA', { end: '354 Go on' }, { kind: 'unknown', code: 'EPROTOCOL' }],
    ['an answer to the final dot that is none', { end: '999 What?' }, { kind: 'unknown', code: 'EPROTOCOL' }],
    ['an acceptance before the message', { DATA: '354 Go on\r\n250 2.0.0 Ok: queued as GHOST', end: '' }, { kind: 'retryable', code: 'EPROTOCOL' }],
    ['goodbye instead of an answer', { end: '421 4.3.2 Shutting down' }, { kind: 'throttled', code: '421 4.3.2' }],
  ];
  for (const pipelining of [false, true])
    test.each(table)(`%s (pipelining ${pipelining})`, async (_name, script, expected) => {
      const { port } = await startSmtpCarrier(pipelining ? { EHLO: '250-test\r\n250 PIPELINING', ...script } : script);
      const prepared = adapterFor(port, { deadlineMs: 1_000 }).prepare(letter(), SENDER);
      expect((await prepared.send(target())).outcome).toMatchObject(expected);
      expect((await prepared.send(target())).outcome).toMatchObject(expected);
    });

  test('an acceptance while a long message is on its way is none', async () => {
    const relay = await startTcp((socket) => {
      socket.write('220 test ESMTP\r\n');
      socket.on('data', (chunk) => {
        const line = chunk.toString('latin1');
        if (!line.startsWith('DATA')) return void socket.write(line.startsWith('EHLO') ? '250 test\r\n' : '250 Ok\r\n');
        socket.pause();
        return void socket.write('354 Go on\r\n', () => setTimeout(() => socket.write('250 2.0.0 Ok: queued as GHOST\r\n'), 50));
      });
    });
    closers.push(() => relay.close());
    const long = letter({ text: ['x'.repeat(12_000_000)] });
    expect((await adapterFor(relay.port).prepare(long, SENDER).send(target())).outcome).toEqual({ kind: 'retryable', code: 'EPROTOCOL' });
  });

  test('a temporary login failure stops nobody', async () => {
    const { port } = await startSmtpCarrier({ EHLO: '250-test\r\n250 AUTH PLAIN', AUTH: '454 4.7.0 Temporary authentication failure' });
    const adapter = adapterFor(port, { smtpUrl: `smtp://user:pw@127.0.0.1:${port}` });
    expect((await adapter.prepare(letter(), SENDER).send(target())).outcome).toMatchObject({ kind: 'throttled', code: '454 4.7.0' });
  });

  test('credentials for a relay that offers no login', async () => {
    const { port } = await startSmtpCarrier({});
    const adapter = adapterFor(port, { smtpUrl: `smtp://user:pw@127.0.0.1:${port}`, deadlineMs: 500 });
    expect((await adapter.prepare(letter(), SENDER).send(target())).outcome.kind).toMatch(/misconfigured|accepted/);
  });
});

test('a mail whose envelope went ahead of its turn is taken back at the relay’s 354', async () => {
  const bodies: string[] = [];
  const firstBody = Promise.withResolvers<() => void>();
  const relay = await startTcp((socket) => {
    let heard = '';
    let inBody = false;
    socket.write('220 test ESMTP\r\n');
    socket.on('data', (chunk) => {
      heard += chunk.toString();
      for (let end = heard.indexOf('\r\n'); end >= 0; end = heard.indexOf('\r\n')) {
        const line = heard.slice(0, end);
        heard = heard.slice(end + 2);
        if (inBody && line !== '.') continue;
        if (inBody) {
          inBody = false;
          bodies.push(line);
          // What follows the final dot in the same write is answered when the dot is, in order.
          firstBody.resolve(() => socket.write('250 2.0.0 Ok: queued as ONE\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n'));
          return;
        }
        if (line.startsWith('EHLO')) socket.write('250-test\r\n250 PIPELINING\r\n');
        else if (line === 'DATA') {
          inBody = true;
          socket.write('354 Go\r\n');
        } else socket.write('250 Ok\r\n');
      }
    });
  });
  closers.push(() => relay.close());
  const prepared = adapterFor(relay.port, { connections: 1 }).prepare(letter(), { id: 1, address: 'alerts@example.org' });
  const recall = new Recall();
  const [first, second] = [prepared.send(target(), recall), prepared.send(target(), recall)];
  const answer = await firstBody.promise;
  recall.recall();
  answer();
  expect((await first).outcome).toMatchObject({ kind: 'accepted' });
  expect((await second).outcome).toEqual({ kind: 'not_called', code: 'not_called' });
  expect(bodies.length).toBe(1);
});
