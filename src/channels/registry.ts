import type { Channel } from '#schemas/delivery.ts';
import type { ChannelAdapter, Content } from '#domain/delivery/channel.ts';
import type { Clock } from '#platform/clock.ts';
import type { Config } from '#platform/config.ts';
import type { Log } from '#platform/log.ts';
import { createEmailAdapter } from './email/adapter.ts';
import { parseSender } from './email/mime.ts';
import { createPushAdapter } from './push/adapter.ts';
import { createSmsAdapter } from './sms/twilio/adapter.ts';

/** One adapter for every channel there is; `satisfies` below makes a forgotten one a type error. */
export type Channels = { readonly [C in Channel]: ChannelAdapter<Extract<Content, { channel: C }>> };

export type ChannelConfig = Pick<Config, 'twilio' | 'twilio2' | 'smtpUrl' | 'smtpUrl2' | 'mailFrom' | 'vapid' | 'pushHosts' | 'publicUrl'>;

/** A channel without credentials answers so to every call: its sender stops and a human is told what to set. */
function absent<C extends Content>(channel: C['channel'], detail: string): ChannelAdapter<C> {
  const send = async () => ({ outcome: { kind: 'misconfigured', code: 'not_configured', detail } }) as const;
  return { channel, concurrency: 1, prepare: () => ({ send }), close: async () => {} };
}

/** Several accounts of one channel, each with connections of its own: what one provider hangs in, the other does not miss. */
function byAccount<C extends Content>(accounts: readonly [ChannelAdapter<C>, ...ChannelAdapter<C>[]]): ChannelAdapter<C> {
  const [first] = accounts;
  const none = absent<C>(first.channel, 'The sender names an account that this installation does not have.');
  return {
    channel: first.channel,
    concurrency: first.concurrency,
    prepare: (content, sender) => (accounts[(sender.account ?? 1) - 1] ?? none).prepare(content, sender),
    close: async () => {
      await Promise.all(accounts.map((account) => account.close()));
    },
  };
}

const domainOf = (mailFrom: string): string => parseSender(mailFrom)?.address.split('@')[1] ?? 'localhost.localdomain';

/** The channels of this installation, from its configuration. */
export function createChannels(config: ChannelConfig, log: Log, options: { clock?: Clock } = {}): Channels {
  const { mailFrom, vapid, pushHosts, publicUrl } = config;
  const sms = (account: ChannelConfig['twilio'], names: string): Channels['sms'] =>
    account ? createSmsAdapter({ ...account, callbackBase: publicUrl, log, ...options }) : absent('sms', `SMS is not set up: set ${names}.`);
  const email = (smtpUrl: string | undefined, name: string): Channels['email'] =>
    smtpUrl
      ? createEmailAdapter({ smtpUrl, mailFrom, returnDomain: domainOf(mailFrom), log, ...options })
      : absent('email', `E-mail is not set up: set ${name}.`);
  return {
    push: vapid
      ? createPushAdapter({ vapid, allowedHosts: pushHosts, publicUrl, log, ...options })
      : absent('push', 'Web push is not set up: set VAPID_PUBLIC_KEY and VAPID_PRIVATE_KEY.'),
    sms: byAccount([sms(config.twilio, 'TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN'), sms(config.twilio2, 'TWILIO_2_ACCOUNT_SID and TWILIO_2_AUTH_TOKEN')]),
    email: byAccount([email(config.smtpUrl, 'SMTP_URL'), email(config.smtpUrl2, 'SMTP_2_URL')]),
  } satisfies Channels;
}
