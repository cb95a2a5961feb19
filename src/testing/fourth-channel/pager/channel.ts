import { z } from 'zod';
import { type ChannelModule, provider } from '#channels/module.ts';
import { createPagerAdapter } from './adapter.ts';
import { pagerHooks } from './hooks.ts';

export default {
  providers: {
    beeper: provider({
      settings: z.strictObject({ url: z.url({ protocol: /^https?$/, error: 'must be a URL starting with http:// or https://' }), key: z.string().min(16) }),
      create: (settings, { config, ...surroundings }) => createPagerAdapter({ ...settings, callbackBase: config.publicUrl, ...surroundings }),
      hooks: pagerHooks,
    }),
  },
} satisfies ChannelModule<'pager'>;
