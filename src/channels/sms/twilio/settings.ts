import { z } from 'zod';

/** An account as MUSTER_ACCOUNTS names it; TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_API_URL are short for the same. */
export const twilioSettings = z.strictObject({
  accountSid: z.string().regex(/^AC[0-9a-fA-F]{32}$/, 'must be AC and 32 hexadecimal digits'),
  /** The first one calls, and webhooks may be signed with any: two while one is replaced. */
  authTokens: z.tuple([z.string().min(1)], z.string().min(1)),
  apiUrl: z
    .string()
    .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'must be a URL starting with http:// or https://')
    .transform((text) => text.replace(/\/+$/, ''))
    .default('https://api.twilio.com'),
});

export type TwilioSettings = z.infer<typeof twilioSettings>;
