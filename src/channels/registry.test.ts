import { expect, test } from 'vitest';
import webpush from 'web-push';
import { createLog } from '#platform/log.ts';
import { CHANNELS } from '#schemas/delivery.ts';
import type { PreparedSend } from '#domain/channel.ts';
import { type ChannelConfig, type Channels, createChannels } from './registry.ts';

const nothing: ChannelConfig = {
  twilio: undefined,
  smtpUrl: undefined,
  vapid: undefined,
  mailFrom: 'Muster <muster@example.org>',
  pushHosts: [],
  publicUrl: 'https://alert.example.org',
};
const everything: ChannelConfig = {
  ...nothing,
  twilio: { accountSid: `AC${'0'.repeat(32)}`, authToken: 't', apiUrl: 'https://api.twilio.com' },
  smtpUrl: 'smtp://127.0.0.1:25',
  vapid: { ...webpush.generateVAPIDKeys(), subject: 'mailto:ops@example.org' },
};
const log = createLog('test', 'silent');

const prepare = (channels: Channels): Record<(typeof CHANNELS)[number], PreparedSend> => ({
  push: channels.push.prepare(
    { channel: 'push', title: ['t'], body: ['b'], actions: [], ttlSeconds: 60, pushUrgency: 'high', topic: 't', lang: 'en' },
    { id: 1, address: '' },
  ),
  sms: channels.sms.prepare({ channel: 'sms', body: ['b'], validitySeconds: 60 }, { id: 2, address: '+15005550006' }),
  email: channels.email.prepare({ channel: 'email', subject: ['s'], text: ['t'], html: ['h'], oneClickUnsubscribe: false }, { id: 3, address: '' }),
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
