import type { Channel } from '#schemas/delivery.ts';
import type { ChannelAdapter, Content } from '#domain/channel.ts';
import type { Clock } from '#platform/clock.ts';
import type { Config } from '#platform/config.ts';
import type { Log } from '#platform/log.ts';
import { createEmailAdapter } from './email/adapter.ts';
import { parseSender } from './email/mime.ts';
import { createPushAdapter } from './push/adapter.ts';
import { createSmsAdapter } from './sms/adapter.ts';

/** One adapter for every channel there is; `satisfies` below makes a forgotten one a type error. */
export type Channels = { readonly [C in Channel]: ChannelAdapter<Extract<Content, { channel: C }>> };

export type ChannelConfig = Pick<Config, 'twilio' | 'smtpUrl' | 'mailFrom' | 'vapid' | 'pushHosts' | 'publicUrl'>;

/** A channel without credentials answers so to every call: its sender stops and a human is told what to set. */
function absent<C extends Content>(channel: C['channel'], detail: string): ChannelAdapter<C> {
  const send = async () => ({ outcome: { kind: 'misconfigured', code: 'not_configured', detail } }) as const;
  return { channel, concurrency: 1, prepare: () => ({ send }), close: async () => {} };
}

const domainOf = (mailFrom: string): string => parseSender(mailFrom)?.address.split('@')[1] ?? 'localhost.localdomain';

/** The channels of this installation, from its configuration. */
export function createChannels(config: ChannelConfig, log: Log, options: { clock?: Clock } = {}): Channels {
  const { twilio, smtpUrl, mailFrom, vapid, pushHosts, publicUrl } = config;
  return {
    push: vapid
      ? createPushAdapter({ vapid, allowedHosts: pushHosts, publicUrl, log, ...options })
      : absent('push', 'Web push is not set up: set VAPID_PUBLIC_KEY and VAPID_PRIVATE_KEY.'),
    sms: twilio
      ? createSmsAdapter({ ...twilio, callbackBase: publicUrl, log, ...options })
      : absent('sms', 'SMS is not set up: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.'),
    email: smtpUrl
      ? createEmailAdapter({ smtpUrl, mailFrom, returnDomain: domainOf(mailFrom), log, ...options })
      : absent('email', 'E-mail is not set up: set SMTP_URL.'),
  } satisfies Channels;
}
