import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { MailContent } from '#domain/delivery/channel.ts';
import { createLog } from '#platform/log.ts';
import { type SmtpScript, startSmtp, startTcp } from '#testing/loopback.ts';
import { createEmailAdapter } from './adapter.ts';
import { QUIT_MS } from './constants.ts';
import { parseSender } from './mime.ts';
import { SmtpPool } from './pool.ts';

/* What fuzzing found (hostile-relay.test.ts), each as one exact conversation. */

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const letter: MailContent = { channel: 'email', subject: ['Flood'], text: ['Come.'], html: ['<p>Come.</p>'], oneClickUnsubscribe: false };

function senderTo(port: number, login = '') {
  const adapter = createEmailAdapter({
    smtpUrl: `smtp://${login}127.0.0.1:${port}`,
    mailFrom: 'muster@example.org',
    returnDomain: 'bounces.example.org',
    log: createLog('test', 'silent'),
    connections: 1,
    deadlineMs: 1_500,
  });
  closers.push(() => adapter.close());
  const prepared = adapter.prepare(letter, { id: 1, address: 'alerts@example.org' });
  return async (n = 1, address = `p${n}@example.net`) => (await prepared.send({ address, ref: String(n).padStart(34, '0'), slots: {} })).outcome;
}

async function scripted(script: SmtpScript, login = '') {
  const relay = await startSmtp(script);
  closers.push(() => relay.close());
  return { ...relay, send: senderTo(relay.port, login) };
}

/** Says after each packet what `answers` has for it, in one packet; `null` hangs up. Keeps the packets. */
async function inPackets(ehlo: string, answers: (packet: string, n: number) => string | null) {
  const packets: string[] = [];
  let connections = 0;
  const relay = await startTcp((socket) => {
    let n = 0;
    connections++;
    socket.write('220 test ESMTP\r\n');
    socket.on('data', (chunk) => {
      const packet = chunk.toString('latin1');
      if (packet.startsWith('EHLO')) return void socket.write(ehlo);
      if (packet.startsWith('QUIT')) return void socket.end('221 Bye\r\n');
      packets.push(packet);
      const answer = answers(packet, ++n);
      return void (answer?.endsWith('(cut)') ? socket.end(answer.slice(0, -5)) : answer === null ? socket.destroy() : socket.write(answer));
    });
  });
  closers.push(() => relay.close());
  return { packets, connections: () => connections, send: senderTo(relay.port) };
}

const PIPELINING = '250-test\r\n250 PIPELINING\r\n';
const ENVELOPE = '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n';
const isBody = (packet: string): boolean => packet.includes('\r\n.\r\n');

describe.each([true, false])('with pipelining %s', (pipelining) => {
  const offered: SmtpScript = pipelining ? { EHLO: PIPELINING.trimEnd() } : {};
  test.each([
    ['an acceptance that begins as a refusal', { end: '550-No\r\n250 2.0.0 Ok: queued as GHOST' }, { kind: 'unknown', code: 'EPROTOCOL' }],
    ['a refusal that begins as an acceptance', { end: '250-2.0.0 Ok\r\n550 5.7.1 No' }, { kind: 'unknown', code: 'EPROTOCOL' }],
    ['nonsense behind an acceptance', { end: '250 2.0.0 Ok: queued as TEST1234\r\nHello?' }, { kind: 'accepted', providerId: 'TEST1234', units: 1 }],
    ['a goodbye behind an acceptance', { end: '250 2.0.0 Ok: queued as TEST1234\r\n421 4.4.2 Bye' }, { kind: 'accepted', providerId: 'TEST1234', units: 1 }],
    ['two verdicts in one piece', { end: '550 5.7.1 No\r\n250 2.0.0 Ok: queued as GHOST' }, { kind: 'unknown', code: 'EPROTOCOL' }],
  ])('%s', async (_name, script, expected) => {
    expect(await (await scripted({ ...offered, ...script })).send()).toEqual(expected);
  });

  test.each([
    ['an acceptance with it', '354 Go on\r\n250 2.0.0 Ok: queued as GHOST'],
    ['a goodbye with it', '354 Go on\r\n421 4.3.2 Shutting down'],
    ['nonsense with it', '354 Go on\r\nHello?'],
    ['another code in its last line', '354-Go\r\n250 on'],
  ])('no body leaves for a 354 that has %s', async (_name, DATA) => {
    const { send, lines } = await scripted({ ...offered, DATA });
    expect((await send()).kind).toBe('retryable');
    expect(lines.some((line) => line.startsWith('Message-ID'))).toBe(false);
  });
});

test('a relay that answers DATA as if it were another command is sent no body', async () => {
  const { packets, send } = await inPackets(PIPELINING, () => `${ENVELOPE}250 Ok\r\n`);
  expect(await send()).toEqual({ kind: 'retryable', code: 'EPROTOCOL' });
  expect(packets.some(isBody)).toBe(false);
});

test('one reply too few: the next mail’s replies are not taken for this one’s', async () => {
  const { send } = await inPackets(PIPELINING, (packet) => (isBody(packet) ? `${ENVELOPE}354 Go on\r\n` : `${ENVELOPE}354 Go on\r\n`));
  const [first, second] = [send(1), send(2)];
  expect(await first).toEqual({ kind: 'unknown', code: 'EPROTOCOL' });
  // Its second connection does the same; its body left there.
  expect((await second).kind).toBe('unknown');
});

test('a relay that refuses and hangs up, as Exim’s "drop" does, is believed', async () => {
  const { send } = await inPackets(PIPELINING, () => '250 2.1.0 Ok\r\n550 5.1.1 No such user\r\n(cut)');
  expect(await send()).toEqual({ kind: 'gone', code: '550 5.1.1', reason: 'no_mailbox' });
});

test('without PIPELINING no command leaves before the one before is answered', async () => {
  const { packets, send } = await inPackets('250 test\r\n', (packet) => {
    if (packet.startsWith('RCPT TO:<p1@')) return '550 5.1.1 No such user\r\n';
    return packet.startsWith('DATA') ? '354 Go on\r\n' : '250 2.0.0 Ok: queued as TEST1234\r\n';
  });
  expect([(await send(1)).kind, (await send(2)).kind]).toEqual(['gone', 'accepted']);
  expect(packets.slice(0, 5).map((packet) => packet.trim())).toEqual([
    expect.stringMatching(/^MAIL FROM:<\S+1@\S+>$/),
    'RCPT TO:<p1@example.net>',
    'RSET',
    expect.stringMatching(/^MAIL FROM:<\S+2@\S+>$/),
    'RCPT TO:<p2@example.net>',
  ]);
});

test.each([
  ['a greeting without a code', { greeting: 'Hello' }],
  ['a greeting with half a code', { greeting: '22 Hello' }],
  ['a greeting with a code of another world', { greeting: '999 Hello' }],
  ['a login answered by nonsense', { EHLO: '250-test\r\n250 AUTH PLAIN', AUTH: 'Hello' }],
  ['a login answered by a code of another world', { EHLO: '250-test\r\n250 AUTH PLAIN', AUTH: '700 Hello' }],
])('%s stops no sender', async (_name, script: SmtpScript) => {
  const { send } = await scripted(script, script.AUTH ? 'user:word@' : '');
  expect(await send()).toEqual({ kind: 'retryable', code: 'EPROTOCOL' });
});

test.each(['zoë@example.net', 'ana@exämple.net', '用户@example.net'])('%s would need SMTPUTF8 and is refused before SMTP sees it', async (address) => {
  const { send, connections } = await scripted({ EHLO: '250-test\r\n250 SMTPUTF8' });
  expect(await send(1, address)).toEqual({ kind: 'rejected', code: 'bad_address', addressInvalid: true });
  expect(connections()).toBe(0);
});

test('a sender’s domain goes over the wire in ASCII, its return path too', () => {
  expect(parseSender('Stadt Zürich <alerts@zürich.example>')).toEqual({
    header: '=?UTF-8?Q?Stadt_Z=C3=BCrich?= <alerts@xn--zrich-kva.example>',
    address: 'alerts@xn--zrich-kva.example',
  });
  for (const from of ['zoë@example.org', 'a@@b', '@example.org', 'alerts@', 'alerts@exa<mple.org', 'nonsense', ''])
    expect(parseSender(from), from).toBeUndefined();
});

test('a relay that shouts is hung up on, not listened to for the second that a goodbye is given', async () => {
  const hungUp = Promise.withResolvers<void>();
  const sockets: Socket[] = [];
  // Says on after we have said that we will say no more.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    const more = (): void => void (socket.writable && socket.write('x'.repeat(100_000), more));
    socket.on('error', () => {}).on('close', () => hungUp.resolve());
    socket.write('220 test ESMTP\r\n');
    socket.on('data', (chunk) => (chunk.toString().startsWith('EHLO') ? socket.write('250 test\r\n') : more()));
  });
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  });
  expect(await senderTo((server.address() as AddressInfo).port)()).toEqual({ kind: 'retryable', code: 'EPROTOCOL' });
  const began = performance.now();
  await hungUp.promise;
  expect(performance.now() - began).toBeLessThan(QUIT_MS / 2);
});

test('after its end a pool makes no connection, not even for a mail whose kept one ended with it', async () => {
  const relay = await startTcp((socket) => {
    socket.write('220 test ESMTP\r\n');
    socket.on('data', (chunk) => {
      const packet = chunk.toString('latin1');
      // The second mail is never answered.
      if (packet.includes('<p2@')) return heard.resolve();
      return void socket.write(packet.startsWith('EHLO') ? PIPELINING : isBody(packet) ? '250 2.0.0 Ok\r\n' : `${ENVELOPE}354 Go on\r\n`);
    });
    connections++;
  });
  closers.push(() => relay.close());
  let connections = 0;
  const heard = Promise.withResolvers<void>();
  const pool = new SmtpPool({ connection: { host: '127.0.0.1', port: relay.port }, credentials: undefined, size: 2, deadlineMs: 1_000 });
  const mail = (to: string) => ({ from: 'bounce@example.org', to, message: 'Subject: x\r\n\r\nx\r\n' });
  expect(await pool.send(mail('p1@example.net'))).toBe('250 2.0.0 Ok');
  const second = pool.send(mail('p2@example.net'));
  await heard.promise;
  pool.close();
  expect(await second).toMatchObject({ stage: 'data', reply: 0 });
  expect(await pool.send(mail('p3@example.net'))).toMatchObject({ stage: 'connect', reply: 0, code: 'CLOSED' });
  expect(connections).toBe(1);
});
