import { createPublicKey, verify } from 'node:crypto';

/** RFC 8292 section 2 lets a token live for a day at most. */
const MAX_LIFE_SECONDS = 86_400;
const CACHED = 5000;

export type VapidVerdict =
  | { readonly ok: true; readonly publicKey: string; readonly expires: number }
  | { readonly ok: false; readonly status: 401 | 403; readonly reason: string };

const refuse = (status: 401 | 403, reason: string): VapidVerdict => ({ ok: false, status, reason });

/** Checks `Authorization: vapid t=<JWT>, k=<key>` (RFC 8292). A sender signs once for many messages, so verdicts are kept. */
export class VapidCheck {
  readonly #known = new Map<string, VapidVerdict>();

  /** @param origin origin of the push resource, which the token's audience must name. @param now milliseconds since the epoch */
  check(header: string | undefined, origin: string, now: number): VapidVerdict {
    if (header === undefined) return refuse(401, 'Authorization is missing');
    const id = `${origin} ${header}`;
    let verdict = this.#known.get(id);
    if (!verdict) {
      verdict = judge(header, origin, now / 1000);
      if (this.#known.size >= CACHED) this.#known.clear();
      if (verdict.ok) this.#known.set(id, verdict);
    }
    return verdict.ok && verdict.expires <= now / 1000 ? refuse(403, 'the token has expired') : verdict;
  }
}

function judge(header: string, origin: string, now: number): VapidVerdict {
  const parts =
    /^vapid\s+(.+)$/i
      .exec(header)?.[1]
      ?.split(',')
      .map((part) => part.trim()) ?? [];
  const token = parts.find((part) => part.startsWith('t='))?.slice(2);
  const publicKey = parts.find((part) => part.startsWith('k='))?.slice(2);
  if (!token || !publicKey) return refuse(401, 'Authorization is not of the form vapid t=…, k=…');
  const [head = '', claims = '', signature = ''] = token.split('.');
  try {
    if (field(head, 'alg') !== 'ES256') return refuse(403, 'the token is not signed with ES256');
    const key = createPublicKey({ key: rawToJwk(publicKey), format: 'jwk' });
    const signed = verify('sha256', Buffer.from(`${head}.${claims}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
    if (!signed) return refuse(403, 'the signature does not fit the key');
    const expires = Number(field(claims, 'exp'));
    if (field(claims, 'aud') !== origin) return refuse(403, 'the audience is not this push service');
    if (!(expires <= now + MAX_LIFE_SECONDS)) return refuse(403, 'the token expires later than in 24 hours');
    const subject = field(claims, 'sub');
    if (subject !== undefined && (typeof subject !== 'string' || !/^(mailto:|https:)/.test(subject)))
      return refuse(403, 'the subject is neither mailto: nor https:');
    return { ok: true, publicKey, expires };
  } catch {
    return refuse(403, 'the token or key cannot be read');
  }
}

const field = (part: string, name: string): unknown => (JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>)[name];

/** An uncompressed P-256 point as a JSON Web Key. */
function rawToJwk(publicKey: string): { kty: 'EC'; crv: 'P-256'; x: string; y: string } {
  const raw = Buffer.from(publicKey, 'base64url');
  if (raw.length !== 65 || raw[0] !== 4) throw new Error('not an uncompressed P-256 point');
  return { kty: 'EC', crv: 'P-256', x: raw.toString('base64url', 1, 33), y: raw.toString('base64url', 33) };
}
