import { timingSafeEqual } from 'node:crypto';
import twilio from 'twilio';

export interface SignedRequest {
  /** All of these are valid; there are two while a token is being replaced. */
  readonly authTokens: readonly string[];
  /** The field X-Twilio-Signature. */
  readonly signature: string | undefined;
  /** The public URL that Twilio was told, with its query. It comes from the configuration, never from the Host header. */
  readonly url: string;
  /** The form fields as received. */
  readonly params: Readonly<Record<string, string | string[]>>;
}

/**
 * Compares the HMAC-SHA1 over the URL and the sorted fields in constant time. Anything malformed is false. Nearly always the URL
 * was signed as it stands, so that is tried first; the SDK's own check takes it apart, to try it without its port.
 */
export function verifyTwilioSignature({ authTokens, signature, url, params }: SignedRequest): boolean {
  if (!signature || signature.length > 100 || !URL.canParse(url)) return false;
  const given = Buffer.from(signature);
  const asItStands = (token: string): boolean => {
    const expected = Buffer.from(twilio.getExpectedTwilioSignature(token, url, params));
    return expected.length === given.length && timingSafeEqual(expected, given);
  };
  const tokens = authTokens.filter((token) => token !== '');
  return tokens.some(asItStands) || tokens.some((token) => twilio.validateRequest(token, signature, url, params));
}
