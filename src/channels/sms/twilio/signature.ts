import { timingSafeEqual } from 'node:crypto';
import twilio from 'twilio';

export interface SignedRequest {
  /** Both are valid while a token is being rotated. */
  readonly authTokens: readonly string[];
  /** X-Twilio-Signature */
  readonly signature: string | undefined;
  /** The public URL that Twilio was told, with its query: from configuration, never from the Host header. */
  readonly url: string;
  /** The form fields as received. */
  readonly params: Readonly<Record<string, string | string[]>>;
}

/**
 * HMAC-SHA1 over URL and sorted fields, compared in constant time. Anything malformed is false. Nearly always the address
 * was signed as it stands: the SDK's own check takes it apart first, to try it without its port.
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
