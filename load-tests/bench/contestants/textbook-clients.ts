import nodemailer from 'nodemailer';
import twilio from 'twilio';
import webpush from 'web-push';
import { CONNECTIONS as SMTP_CONNECTIONS } from '#channels/email/constants.ts';
import { prepareTemplate } from '#channels/fill.ts';
import { CONNECTIONS } from '#channels/sms/twilio/constants.ts';
import type { ContestantConfig } from './contestant.ts';
import { contentOf, slotsOf } from './content.ts';
import type { TextbookJob } from './textbook-job.ts';

interface Client {
  /** @returns the provider's id */
  send(job: TextbookJob): Promise<string>;
  close(): Promise<void>;
}

/** twilio's own RequestClient (axios) with another address; nothing else of it is changed. */
export function textbookSms(config: ContestantConfig): Client {
  const { host, protocol } = new URL(config.smsUrl);
  class LoopbackClient extends twilio.RequestClient {
    override request<T>(
      options: Parameters<InstanceType<typeof twilio.RequestClient>['request']>[0],
    ): ReturnType<InstanceType<typeof twilio.RequestClient>['request']> & Promise<T> {
      return super.request({ ...options, uri: options.uri.replace('https://api.twilio.com', `${protocol}//${host}`) }) as never;
    }
  }
  const httpClient = new LoopbackClient({ maxSockets: CONNECTIONS, maxFreeSockets: CONNECTIONS });
  const client = twilio('AC00000000000000000000000000000000', 'token', { httpClient });
  return {
    send: async ({ recipient, address, text }) => {
      const statusCallback = `http://127.0.0.1:10000/hooks/twilio/status/${recipient}`;
      const { sid } = await client.messages.create({ to: address, from: '+12025550100', body: text, statusCallback, validityPeriod: 10_800 });
      return sid;
    },
    close: async () => undefined,
  };
}

/** nodemailer's pool, which builds the MIME of each message anew. */
export function textbookEmail(config: ContestantConfig): Client {
  const transport = nodemailer.createTransport({
    pool: true,
    host: '127.0.0.1',
    port: config.mailPort,
    ignoreTLS: true,
    maxConnections: SMTP_CONNECTIONS,
    maxMessages: Number.POSITIVE_INFINITY,
  });
  const content = contentOf('email');
  const [subject, text, html] = [content.subject, content.text, content.html].map((part) => prepareTemplate(part));
  return {
    send: async ({ recipient, address }) => {
      const slots = slotsOf(recipient);
      const { messageId } = await transport.sendMail({
        from: 'Muster <muster@bench.example>',
        to: address,
        subject: subject?.(slots) ?? '',
        text: text?.(slots) ?? '',
        html: html?.(slots) ?? '',
        headers: { 'List-Unsubscribe': `<${slots.unsubscribeLink}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
        envelope: { from: `bounce+${recipient}@bench.example`, to: [address] },
      });
      return messageId;
    },
    close: async () => transport.close(),
  };
}

/**
 * web-push's sendNotification, which encrypts and signs each message and sends it by Node's https client and its keep-alive
 * agent.
 */
export function textbookPush(config: ContestantConfig): Client {
  const { title, body, ttlSeconds, topic } = contentOf('push');
  const fill = { title: prepareTemplate(title), body: prepareTemplate(body) };
  const vapidDetails = { subject: 'mailto:bench@bench.example', ...config.vapid };
  return {
    send: async ({ recipient, address, link }) => {
      const keys = config.keys[recipient % config.keys.length];
      if (!keys) throw new Error('no keys');
      const slots = slotsOf(recipient);
      const payload = JSON.stringify({
        web_push: 8030,
        notification: { title: fill.title(slots), body: fill.body(slots), navigate: link, lang: 'en', tag: String(recipient), data: { link, beacon: link } },
      });
      const { headers } = await webpush.sendNotification({ endpoint: address, keys: { ...keys } }, payload, {
        vapidDetails,
        TTL: ttlSeconds,
        topic,
        urgency: 'low',
      });
      return String((headers as Record<string, unknown>)['location']);
    },
    close: async () => undefined,
  };
}
