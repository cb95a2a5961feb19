import { Problem } from '#platform/errors.ts';
import type { TwilioSettings } from './settings.ts';
import { verifyTwilioSignature } from './signature.ts';

export interface TwilioWebhook {
  /** The public URL that was called. It comes from the configuration, never from the Host header. */
  readonly url: string;
  /** The field X-Twilio-Signature. */
  readonly signature: string | undefined;
  /** The form fields as received. */
  readonly params: Readonly<Record<string, string>>;
}

/**
 * A webhook is good when it is signed with a token of the account that it names, and that account is one of ours. Each
 * account may have two tokens while one is replaced.
 * @throws Problem 403 forged, or of another account
 */
export function verifyWebhook(accounts: readonly TwilioSettings[], { url, signature, params }: TwilioWebhook): void {
  const named = accounts.find((account) => account.accountSid === params['AccountSid']);
  const authTokens = named ? named.authTokens : accounts.flatMap((account) => account.authTokens);
  const fits = verifyTwilioSignature({ authTokens, signature, url, params });
  if (!fits) throw new Problem(403, 'bad_signature', 'The signature does not fit this request.');
  if (!named) throw new Problem(403, 'other_account', 'This webhook is about another account.');
}
