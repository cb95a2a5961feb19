import { expect, test } from 'vitest';
import webpush from 'web-push';
import { createLog } from '#platform/log.ts';
import { CHANNELS } from '#schemas/delivery.ts';
import { startHttp } from '#testing/loopback.ts';
import type { PreparedSend } from '#domain/delivery/channel.ts';
import { type ChannelConfig, type Channels, createChannels } from './registry.ts';

const nothing: ChannelConfig = {
  twilio: undefined,
  twilio2: undefined,
  smtpUrl: undefined,
  smtpUrl2: undefined,
  vapid: undefined,
  mailFrom: 'Muster <muster@example.org>',
  pushHosts: [],
  publicUrl: 'https://alert.example.org',
};
const everything: ChannelConfig = {
  ...nothing,
  twilio: { accountSid: `AC${'0'.repeat(32)}`, authToken: 't', authTokens: ['t'], apiUrl: 'https://api.twilio.com' },
  smtpUrl: 'smtp://127.0.0.1:25',
  vapid: { ...webpush.generateVAPIDKeys(), subject: 'mailto:ops@example.org' },
};
const log = createLog('test', 'silent');

const prepare = (channels: Channels, account?: number): Record<(typeof CHANNELS)[number], PreparedSend> => ({
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
  for (const config of [nothing, everything]) {
    const channels = createChannels(config, log);
    expect(Object.entries(channels).map(([name, { channel }]) => [name, channel])).toEqual(CHANNELS.map((name) => [name, name]));
    expect(Object.values(channels).every(({ concurrency }) => concurrency >= 1)).toBe(true);
    await Promise.all(Object.values(channels).map((channel) => channel.close()));
  }
});

test('a channel without credentials stops its sender and says what to set', async () => {
  const prepared = prepare(createChannels(nothing, log));
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
  const channels = createChannels(everything, log);
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
    [1, 2].map((n) => startHttp((_request, response) => void response.writeHead(201).end(JSON.stringify({ sid: `SM${n}`, num_segments: '1' })))),
  );
  const accountOn = (n: number) => ({
    accountSid: `AC${String(n).repeat(32)}`,
    authToken: `t${n}`,
    authTokens: [`t${n}`],
    apiUrl: `http://127.0.0.1:${carriers[n - 1]?.port}`,
  });
  const channels = createChannels({ ...nothing, twilio: accountOn(1), twilio2: accountOn(2) }, log);
  for (const account of [undefined, 1, 2])
    expect((await prepare(channels, account).sms.send({ address: '+15005550010', ref: 'r', slots: {} })).outcome.kind).toBe('accepted');
  expect(carriers.map(({ requests }) => requests.map(({ path }) => path))).toEqual(
    [2, 1].map((times, i) => Array.from({ length: times }, () => `/2010-04-01/Accounts/AC${String(i + 1).repeat(32)}/Messages.json`)),
  );
  const password = `AC${'2'.repeat(32)}:t2`;
  expect(carriers[1]?.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from(password).toString('base64')}`);
  await channels.sms.close();
  await Promise.all(carriers.map((carrier) => carrier.close()));
});
