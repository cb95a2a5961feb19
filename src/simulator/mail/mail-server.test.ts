import { once } from 'node:events';
import { connect } from 'node:net';
import { simpleParser } from 'mailparser';
import { createTransport } from 'nodemailer';
import { SMTPServer } from 'smtp-server';
import { afterEach, expect, test } from 'vitest';
import { startTestSimulator, type TestSimulator } from '#testing/simulator.ts';
import { decodeWords } from './mail-headers.ts';

let simulator: TestSimulator;
const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanUp.splice(0).reverse()) await clean();
});

async function start(options: Parameters<typeof startTestSimulator>[0] = {}): Promise<void> {
  simulator = await startTestSimulator(options);
  cleanUp.push(() => simulator.close());
}

function mailer(): ReturnType<typeof createTransport> {
  const transport = createTransport({ url: simulator.smtpUrl, socketTimeout: 400 });
  cleanUp.push(() => transport.close());
  return transport;
}

const mail = (to = 'anna@example.org') => ({
  from: 'Muster <muster@example.test>',
  to,
  subject: 'Überschwemmung am Fluss, bitte alle zur Schule kommen und Stiefel mitbringen 🌊',
  text: 'Kommt zur Schule: https://muster.example/r/abc',
  html: '<p>Kommt <a href="https://muster.example/s/def">zur Schule</a></p>',
  messageId: '<one@example.test>',
  envelope: { from: 'bounce+ref123@example.test', to },
});

test('mail is accepted, logged with its reference and subject before the answer, and readable', async () => {
  await start();
  const info = await mailer().sendMail(mail('Anna@Example.org'));
  expect(info.response).toMatch(/^250 /);
  expect(simulator.logged()).toMatchObject([
    {
      channel: 'email',
      to: 'anna@example.org',
      from: 'bounce+ref123@example.test',
      ref: 'ref123',
      messageId: '<one@example.test>',
      subject: mail().subject,
      outcome: 'accepted',
      taken: true,
    },
  ]);
  const page = await (await fetch(`${simulator.url}/person/anna@example.org`)).text();
  expect(page).toContain('Kommt zur Schule');
  expect(page).toContain('href="https://muster.example/s/def"');
});

test('announces PIPELINING and 8BITMIME', async () => {
  await start();
  const socket = connect(Number(new URL(simulator.smtpUrl).port), '127.0.0.1');
  cleanUp.push(() => socket.destroy());
  socket.setEncoding('utf8');
  await once(socket, 'data');
  socket.write('EHLO me\r\n');
  let words = '';
  while (!/^250 /m.test(words)) words += String((await once(socket, 'data'))[0]);
  expect(words).toMatch(/^250[- ]PIPELINING/m);
  expect(words).toMatch(/^250[- ]8BITMIME/m);
});

test('a subject in pieces of two encodings is put together', () => {
  expect(decodeWords('Re: =?utf-8?Q?caf=C3?= =?utf-8?Q?=A9_au?= =?iso-8859-1?B?IGxhaXQ=?= now')).toBe('Re: café au lait now');
  expect(decodeWords('plain =?x?')).toBe('plain =?x?');
});

test('a refused address, and one too many a second, before the body', async () => {
  await start({ behaviour: { addresses: { 'nobody@example.org': { fate: 'refused' } }, email: { perSecond: 1 } } });
  const transport = mailer();
  await expect(transport.sendMail(mail('nobody@example.org'))).rejects.toMatchObject({ responseCode: 550, response: expect.stringContaining('5.1.1') });
  await transport.sendMail(mail());
  await expect(transport.sendMail(mail())).rejects.toMatchObject({ responseCode: 421 });
  expect(simulator.logged().map(({ outcome, code, ref }) => [outcome, code, ref])).toEqual([
    ['refused', '550 5.1.1 No such mailbox', 'ref123'],
    ['accepted', undefined, 'ref123'],
    ['throttled', '421 4.7.0 Too many messages, slow down', 'ref123'],
  ]);
});

test('an error, a cut and silence after the final dot', async () => {
  await start({ behaviour: { addresses: { 'e@example.org': { fate: 'error' }, 'c@example.org': { fate: 'cut' }, 's@example.org': { fate: 'silent' } } } });
  await expect(mailer().sendMail(mail('e@example.org'))).rejects.toMatchObject({ responseCode: 451 });
  await expect(mailer().sendMail(mail('c@example.org'))).rejects.toMatchObject({ code: expect.stringMatching(/ECONNECTION|ESOCKET/) });
  await expect(mailer().sendMail(mail('s@example.org'))).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  expect(simulator.logged().map(({ outcome, taken }) => [outcome, taken])).toEqual([
    ['error', false],
    ['cut', false],
    ['silent', true],
  ]);
});

test('mail that bounces comes back to its return path as a delivery status notification', async () => {
  const intake = new SMTPServer({
    logger: false,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        intake.emit('mail', session.envelope, Buffer.concat(chunks));
        done();
      });
    },
  });
  await new Promise<void>((done) => intake.listen(0, '127.0.0.1', done));
  cleanUp.push(() => new Promise<void>((done) => intake.close(() => done())));
  const address = intake.server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  await start({ bounceSmtpUrl: `smtp://127.0.0.1:${port}`, behaviour: { addresses: { 'gone@example.org': { bounces: true } } } });
  const arrival = once(intake, 'mail');
  await mailer().sendMail(mail('gone@example.org'));
  const [envelope, raw] = (await arrival) as [{ mailFrom: { address: string }; rcptTo: { address: string }[] }, Buffer];
  expect(envelope.mailFrom.address).toBe('');
  expect(envelope.rcptTo.map((to) => to.address)).toEqual(['bounce+ref123@example.test']);
  const dsn = await simpleParser(raw);
  expect(raw.toString()).toMatch(/^Content-Type: multipart\/report; report-type=delivery-status;/m);
  expect(dsn.inReplyTo).toBe('<one@example.test>');
  const status = /Content-Type: message\/delivery-status\r\n\r\n([\s\S]*?)\r\n--/.exec(raw.toString())?.[1] ?? '';
  expect(status).toMatch(/^Final-Recipient: rfc822; gone@example\.org\r?$/m);
  expect(status).toMatch(/^Action: failed\r?$/m);
  expect(status).toMatch(/^Status: 5\.\d\.\d\r?$/m);
  expect(await (await fetch(`${simulator.url}/person/gone@example.org`)).text()).toContain('Nothing has arrived here');
});
