import { z } from 'zod';
import { type ChannelModule, provider } from '#channels/module.ts';
import { createPushAdapter } from './adapter.ts';

export default {
  providers: {
    webpush: provider({
      settings: z.strictObject({ publicKey: z.string().min(1), privateKey: z.string().min(1), subject: z.string().min(1) }),
      create: (vapid, { config, ...surroundings }) =>
        createPushAdapter({ vapid, allowedHosts: config.pushHosts, publicUrl: config.publicUrl, ...surroundings }),
    }),
  },
} satisfies ChannelModule<'push'>;
