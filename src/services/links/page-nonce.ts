import { timingSafeEqual } from 'node:crypto';
import type { Deps } from '#services/context.ts';

const HOUR_MS = 3_600_000;
const BYTES = 16;

const nonceAt = (deps: Pick<Deps, 'tokens'>, token: string, hour: number): Buffer => deps.tokens.mac('page', `${token} ${hour}`).subarray(0, BYTES);

/** Proof that whoever posts has seen this page within the last hour or two; bound to the page's own link. */
export const pageNonce = (deps: Pick<Deps, 'tokens' | 'clock'>, token: string): string =>
  nonceAt(deps, token, Math.floor(deps.clock.now() / HOUR_MS)).toString('base64url');

/**
 * Takes the nonce of this hour and of the one before.
 * @param current what `pageNonce` gave a moment ago, where the next page needs it too: each is a MAC
 */
export function nonceFits(deps: Pick<Deps, 'tokens' | 'clock'>, token: string, nonce: string, current = pageNonce(deps, token)): boolean {
  const given = Buffer.from(nonce, 'base64url');
  if (given.length !== BYTES) return false;
  return timingSafeEqual(Buffer.from(current, 'base64url'), given) || timingSafeEqual(nonceAt(deps, token, Math.floor(deps.clock.now() / HOUR_MS) - 1), given);
}
