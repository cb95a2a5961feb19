import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { MailContent } from '#domain/delivery/channel.ts';
import { createLog } from '#platform/log.ts';
import { createEmailAdapter } from './adapter.ts';

// Postfix's own sink: a server that is not ours, from another language and another author.
const sink = ['/usr/sbin/smtp-sink', '/usr/bin/smtp-sink'].find((path) => spawnSync('test', ['-x', path]).status === 0);

let server: ChildProcess;
let folder: string;
let port: number;
beforeAll(async () => {
  if (!sink) return;
  folder = mkdtempSync(join(tmpdir(), 'muster-sink-'));
  chmodSync(folder, 0o777);
  port = await new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });
  server = spawn(sink, [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), '-d', 'mail-%M', `127.0.0.1:${port}`, '50'], { cwd: folder, stdio: 'ignore' });
  await vi.waitFor(
    () =>
      new Promise<void>((done, fail) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.destroy();
          done();
        }).once('error', fail);
      }),
    { timeout: 5_000 },
  );
});
afterAll(() => {
  server?.kill('SIGTERM');
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const content: MailContent = {
  channel: 'email',
  subject: ['Übung im Hafen, ', { slot: 'firstName' }],
  text: ['Hello ', { slot: 'firstName' }, ',\n\nsandbags 🌊 are needed.\n', { slot: 'link' }],
  html: ['<p>Hello ', { slot: 'firstName' }, '</p><a href="', { slot: 'link' }, '">Answer</a>'],
  oneClickUnsubscribe: true,
};

test.skipIf(sink === undefined)(
  'postfix’s smtp-sink takes 60 mails; each parses to what was meant for its person (skipped where postfix is not installed)',
  async () => {
    const adapter = createEmailAdapter({
      smtpUrl: `smtp://127.0.0.1:${port}`,
      mailFrom: 'Muster <muster@example.org>',
      returnDomain: 'example.org',
      log: createLog('test', 'silent'),
    });
    const prepared = adapter.prepare(content, { id: 1, address: 'Muster <muster@example.org>' });
    const people = Array.from({ length: 60 }, (_, i) => ({ i, name: i % 2 ? `Zoë ${i}` : `Ann ${i}`, ref: `00${String(i).padStart(32, '0')}` }));
    const outcomes = await Promise.all(
      people.map(({ i, name, ref }) =>
        prepared.send({
          address: `p${i}@example.test`,
          ref,
          slots: { firstName: name, link: `https://muster.example/r/${i}`, unsubscribeLink: `https://muster.example/u/${i}` },
        }),
      ),
    );
    expect(new Set(outcomes.map(({ outcome }) => outcome.kind))).toEqual(new Set(['accepted']));
    await adapter.close();
    const mails = await Promise.all(readdirSync(folder).map((file) => simpleParser(readFileSync(join(folder, file)))));
    expect(mails).toHaveLength(60);
    for (const { i, name, ref } of people) {
      const mail = mails.find((one) => one.messageId === `<${ref}@example.org>`);
      expect(mail?.subject).toBe(`Übung im Hafen, ${name}`);
      expect(mail?.text).toContain(`Hello ${name},\n\nsandbags 🌊 are needed.\nhttps://muster.example/r/${i}`);
      expect(mail?.html).toContain(`<a href="https://muster.example/r/${i}">`);
      const header = (key: string) => mail?.headerLines.find((line) => line.key === key)?.line;
      expect(header('list-unsubscribe-post')).toBe('List-Unsubscribe-Post: List-Unsubscribe=One-Click');
      expect(header('x-mail-args')).toContain(`bounce+${ref}@example.org`);
    }
  },
);
