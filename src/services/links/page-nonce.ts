import { timingSafeEqual } from 'node:crypto';
import type { Deps } from '#services/context.ts';

const HOUR_MS = 3_600_000;
const BYTES = 16;

function nonceAt(deps: Pick<Deps, 'tokens'>, token: string, hour: number): Buffer {
  return deps.tokens.mac('page', `${token} ${hour}`).subarray(0, BYTES);
}

const hourOf = (deps: Pick<Deps, 'clock'>): number => Math.floor(deps.clock.now() / HOUR_MS);

/** Proves that the sender of a form has seen this page within the last hour or two. It is bound to the page's own link. */
export function pageNonce(deps: Pick<Deps, 'tokens' | 'clock'>, token: string): string {
  return nonceAt(deps, token, hourOf(deps)).toString('base64url');
}

/**
 * Takes the nonce of this hour and of the hour before.
 * @param current what `pageNonce` gave a moment ago, where the next page needs it too, since each costs a MAC
 */
export function nonceFits(deps: Pick<Deps, 'tokens' | 'clock'>, token: string, nonce: string, current = pageNonce(deps, token)): boolean {
  const given = Buffer.from(nonce, 'base64url');
  if (given.length !== BYTES) return false;
  if (timingSafeEqual(Buffer.from(current, 'base64url'), given)) return true;
  return timingSafeEqual(nonceAt(deps, token, hourOf(deps) - 1), given);
}
