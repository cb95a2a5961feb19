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

/** HMAC-SHA1 over URL and sorted fields, compared in constant time by the SDK. Anything malformed is false. */
export function verifyTwilioSignature({ authTokens, signature, url, params }: SignedRequest): boolean {
  if (!signature || signature.length > 100 || !URL.canParse(url)) return false;
  return authTokens.some((token) => token !== '' && twilio.validateRequest(token, signature, url, params));
}
