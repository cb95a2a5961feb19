import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import webpush from 'web-push';
import { ConfigError, type Environment, readConfig } from '#platform/config.ts';
import { createLog } from '#platform/log.ts';
import { CHANNELS } from '#schemas/delivery.ts';
import { startHttp } from '#testing/loopback.ts';
import type { PreparedSend } from '#domain/delivery/channel.ts';
import { type Channels, createChannels, hooksOf, installChannels } from './registry.ts';

const nothing: Environment = {
  DATABASE_URL: 'postgres://u@127.0.0.1/d',
  SECRET_KEYS: `a:${'A'.repeat(43)}=`,
  MAIL_FROM: 'Muster <muster@example.org>',
  PUBLIC_URL: 'https://alert.example.org',
};
const vapid = webpush.generateVAPIDKeys();
const ACCOUNT = `AC${'0'.repeat(32)}`;
const everything: Environment = {
  ...nothing,
  TWILIO_ACCOUNT_SID: ACCOUNT,
  TWILIO_AUTH_TOKEN: 't',
  SMTP_URL: 'smtp://127.0.0.1:25',
  VAPID_PUBLIC_KEY: vapid.publicKey,
  VAPID_PRIVATE_KEY: vapid.privateKey,
};
const log = createLog('test', 'silent');
const open = async (env: Environment): Promise<Channels> => createChannels(await installChannels(readConfig(env)), { log });

const prepare = (channels: Channels, account?: number): Record<'push' | 'sms' | 'email', PreparedSend> => ({
  push: channels.push.prepare(
    { channel: 'push', title: ['t'], body: ['b'], actions: [], ttlSeconds: 60, pushUrgency: 'high', topic: 't', lang: 'en' },
    { id: 1, address: '', ...(account === undefined ? {} : { account }) },
  ),
  sms: channels.sms.prepare(
    { channel: 'sms', body: ['b'], validitySeconds: 60 },
    { id: 2, address: '+15005550006', ...(account === undefined ? {} : { account }) },
  ),
  email: channels.email.prepare(
    { channel: 'email', subject: ['s'], text: ['t'], html: ['h'], oneClickUnsubscribe: false },
    { id: 3, address: '', ...(account === undefined ? {} : { account }) },
  ),
});

test('every channel is there and answers to its own name', async () => {
  for (const env of [nothing, everything]) {
    const channels = await open(env);
    expect(Object.entries(channels).map(([name, { channel }]) => [name, channel])).toEqual(CHANNELS.map((name) => [name, name]));
    expect(Object.values(channels).every(({ concurrency }) => concurrency >= 1)).toBe(true);
    await Promise.all(Object.values(channels).map((channel) => channel.close()));
  }
});

test('a channel without credentials stops its sender and says what to set', async () => {
  const prepared = prepare(await open(nothing));
  for (const [channel, variable] of [
    ['push', 'VAPID_PUBLIC_KEY'],
    ['sms', 'TWILIO_ACCOUNT_SID'],
    ['email', 'SMTP_URL'],
  ] as const) {
    const { outcome } = await prepared[channel].send({ address: '', ref: 'r', slots: {} });
    expect(outcome).toEqual({ kind: 'misconfigured', code: 'not_configured', detail: expect.stringContaining(variable) });
  }
});

test('a sender of an account that is not set up stops, and its reason names the variable', async () => {
  const channels = await open(everything);
  for (const [account, channel, reason] of [
    [2, 'sms', 'TWILIO_2_ACCOUNT_SID'],
    [2, 'email', 'SMTP_2_URL'],
    [3, 'sms', 'account'],
  ] as const) {
    const { outcome } = await prepare(channels, account)[channel].send({ address: '', ref: 'r', slots: {} });
    expect(outcome).toEqual({ kind: 'misconfigured', code: 'not_configured', detail: expect.stringContaining(reason) });
  }
  await Promise.all(Object.values(channels).map((channel) => channel.close()));
});

test('each sender calls by its own account', async () => {
  const carriers = await Promise.all(
    [1, 2, 3].map((n) => startHttp((_request, response) => void response.writeHead(201).end(JSON.stringify({ sid: `SM${n}`, num_segments: '1' })))),
  );
  const [first, second, third] = carriers.map(({ port }) => `http://127.0.0.1:${port}`);
  const sidOf = (n: number): string => `AC${String(n).repeat(32)}`;
  const channels = await open({
    ...nothing,
    TWILIO_ACCOUNT_SID: sidOf(1),
    TWILIO_AUTH_TOKEN: 't1',
    TWILIO_API_URL: first,
    TWILIO_2_ACCOUNT_SID: sidOf(2),
    TWILIO_2_AUTH_TOKEN: 't2',
    TWILIO_2_API_URL: second,
    MUSTER_ACCOUNTS: JSON.stringify([{ channel: 'sms', provider: 'twilio', number: 3, accountSid: sidOf(3), authTokens: ['t3'], apiUrl: `${third}/` }]),
  });
  for (const account of [undefined, 1, 2, 3])
    expect((await prepare(channels, account).sms.send({ address: '+15005550010', ref: 'r', slots: {} })).outcome.kind).toBe('accepted');
  expect(carriers.map(({ requests }) => requests.map(({ path }) => path))).toEqual(
    [2, 1, 1].map((times, i) => Array.from({ length: times }, () => `/2010-04-01/Accounts/${sidOf(i + 1)}/Messages.json`)),
  );
  expect(carriers[1]?.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from(`${sidOf(2)}:t2`).toString('base64')}`);
  await channels.sms.close();
  await Promise.all(carriers.map((carrier) => carrier.close()));
});

test('the URLs that carriers call are there without an account too, and stay as they are', async () => {
  for (const env of [nothing, everything])
    expect(hooksOf(await installChannels(readConfig(env))).map(({ kind, path, channel }) => [kind, path, channel])).toEqual([
      ['receipt', '/hooks/twilio/status/{ref}', 'sms'],
      ['inbound', '/hooks/twilio/inbound', 'sms'],
    ]);
});

describe('MUSTER_ACCOUNTS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-accounts-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const faults = async (accounts: unknown, env: Environment = nothing): Promise<readonly string[]> => {
    try {
      await open({ ...env, MUSTER_ACCOUNTS: typeof accounts === 'string' ? accounts : JSON.stringify(accounts) });
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
  };
  const good = { channel: 'sms', provider: 'twilio', accountSid: ACCOUNT, authTokens: ['hunter2'] };

  test.each<[string, object[], string[]]>([
    ['no such channel', [{ ...good, channel: 'fax' }], ['MUSTER_ACCOUNTS: [0].channel: ']],
    ['no such provider', [good, { ...good, number: 2, provider: 'carrier-pigeon' }], ['MUSTER_ACCOUNTS: [1].provider: must be twilio']],
    ['a field of its own that is wrong', [{ ...good, accountSid: 'AC1' }], ['MUSTER_ACCOUNTS: [0].accountSid: must be AC and 32 hexadecimal digits']],
    ['a field that is missing', [{ channel: 'email', provider: 'smtp' }], ['MUSTER_ACCOUNTS: [0].url: ']],
    ['a field that is unknown', [{ ...good, apiURL: 'http://x' }], ['MUSTER_ACCOUNTS: [0].']],
    ['a number twice', [good, good], ['MUSTER_ACCOUNTS: [1].number: account 1 of sms is there already']],
    ['a number that is none', [{ ...good, number: 0 }], ['MUSTER_ACCOUNTS: [0].number: ']],
    [
      'a second account where there is but one',
      [{ channel: 'push', provider: 'webpush', number: 2 }],
      ['MUSTER_ACCOUNTS: [0].number: push has one account alone'],
    ],
    ['two faults at once', [{ ...good, accountSid: 'x', authTokens: [] }], ['MUSTER_ACCOUNTS: [0].accountSid', 'MUSTER_ACCOUNTS: [0].authTokens']],
  ])('%s is named, and no secret with it', async (_, accounts, expected) => {
    const found = await faults(accounts);
    expect(found).toEqual(expected.map((line) => expect.stringContaining(line)));
    expect(found.join('\n')).not.toContain('hunter2');
    expect(found.every((line) => /^[A-Z_\d]+: [^\n]+$/.test(line))).toBe(true);
  });

  test('what a variable has named already is refused by name', async () => {
    expect(await faults([good], everything)).toEqual([expect.stringContaining('TWILIO_ACCOUNT_SID')]);
  });

  test.each([
    ['[{"authToken": "hunter2"', 'MUSTER_ACCOUNTS: is not valid JSON'],
    ['/nowhere/hunter', 'MUSTER_ACCOUNTS: is neither a JSON array nor the path of a file that can be read (ENOENT)'],
    ['{"a": 1}', 'MUSTER_ACCOUNTS: is neither a JSON array nor the path of a file that can be read (ENOENT)'],
  ])('%s is refused without a word of it', async (text, expected) => {
    expect(await faults(text)).toEqual([expected]);
  });

  test('a file holds them as well', async () => {
    const file = join(folder, 'accounts.json');
    writeFileSync(file, JSON.stringify([good]));
    expect(await faults(file)).toEqual([]);
    writeFileSync(file, '{"hunter2": 1}');
    expect(await faults(file)).toEqual(['MUSTER_ACCOUNTS: the list: Invalid input: expected array, received object']);
  });
});
