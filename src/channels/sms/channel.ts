import { type ChannelModule, provider } from '#channels/module.ts';
import { createSmsAdapter } from '#channels/sms/twilio/adapter.ts';
import { twilioHooks } from '#channels/sms/twilio/hooks.ts';
import { twilioSettings } from '#channels/sms/twilio/settings.ts';

export default {
  providers: {
    twilio: provider({
      settings: twilioSettings,
      create: ({ accountSid, authTokens, apiUrl }, { config, ...surroundings }) =>
        createSmsAdapter({ accountSid, authToken: authTokens[0], apiUrl, callbackBase: config.publicUrl, ...surroundings }),
      hooks: twilioHooks,
    }),
  },
} satisfies ChannelModule<'sms'>;
