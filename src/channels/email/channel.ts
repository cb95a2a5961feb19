import { z } from 'zod';
import { type ChannelModule, provider } from '#channels/module.ts';
import { createEmailAdapter } from './adapter.ts';
import { startBounceIntake } from './bounce-intake.ts';
import { parseSender } from './mime.ts';
import { type Report, returnedOf } from './report.ts';

const domainOf = (mailFrom: string): string => parseSender(mailFrom)?.address.split('@')[1] ?? 'localhost.localdomain';

export default {
  providers: {
    smtp: provider({
      settings: z.strictObject({
        url: z.string().refine((text) => URL.canParse(text) && /^smtps?:$/.test(new URL(text).protocol), 'must be a URL starting with smtp:// or smtps://'),
      }),
      create: ({ url }, { config: { mailFrom }, ...surroundings }) =>
        createEmailAdapter({ smtpUrl: url, mailFrom, returnDomain: domainOf(mailFrom), ...surroundings }),
    }),
  },
  /** Bounces come as mail to the return path. */
  async listen({ config: { bounceSmtpPort: port, host }, log }, { accepts, receive }) {
    if (port === undefined) return undefined;
    const onBounce = async (ref: string, report: Report): Promise<void> => {
      const returned = returnedOf(report);
      if (returned) await receive(ref, returned);
    };
    return startBounceIntake({ port, host, accepts, onBounce, log });
  },
} satisfies ChannelModule<'email'>;
