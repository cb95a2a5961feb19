import { simpleParser, type ParsedMail } from 'mailparser';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { expect, test } from 'vitest';
import { createEmailAdapter } from '#channels/email/adapter.ts';
import { createLog } from '#platform/log.ts';
import { Tokens } from '#platform/tokens.ts';
import { joinMailer } from './join-mailer.ts';

test('a confirmation reaches a real mail server with its link in both parts; a refusal rejects', async () => {
  const got: ParsedMail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo: ({ address }, _session, done) =>
      done(address.startsWith('no') ? Object.assign(new Error('no such mailbox'), { responseCode: 550 }) : null),
    onData: (stream, _session, done) => {
      simpleParser(stream).then(
        (mail) => {
          got.push(mail);
          done();
        },
        (error: Error) => done(error),
      );
    },
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const smtpUrl = `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  const mailFrom = 'Muster <muster@example.org>';
  const adapter = createEmailAdapter({ smtpUrl, mailFrom, returnDomain: 'example.org', log: createLog('test', 'silent') });
  const mailer = joinMailer(adapter, { config: { mailFrom }, tokens: new Tokens({ keys: [{ id: 'a', secret: Buffer.alloc(32, 1) }] }) });
  try {
    const link = 'https://muster.test/s/confirm/aB3';
    await mailer('friend@example.org', 'Confirm that you join Fell & Rescue', `Hello <there>.\n\nOpen this:\n${link}\n`);
    expect(got[0]?.subject).toBe('Confirm that you join Fell & Rescue');
    expect(got[0]?.text).toContain(link);
    expect(got[0]?.html).toContain(`<a href="${link}">`);
    expect(got[0]?.html).toContain('Hello &lt;there&gt;');
    await expect(mailer('nobody@example.org', 'x', 'y')).rejects.toThrow('did not take');
    expect(got).toHaveLength(1);
  } finally {
    await adapter.close();
    await new Promise<void>((done) => {
      server.close(done);
    });
  }
});
