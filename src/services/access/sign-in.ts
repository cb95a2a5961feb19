import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { Problem } from '#platform/errors.ts';
import { hashPassword, verifyPassword } from '#platform/password.ts';
import type { Deps } from '#services/context.ts';

/** Hours that a session may live, however busy it is (ASVS 5, 7.3.2). */
const ABSOLUTE_HOURS = 12;

/** No address is longer (RFC 5321 section 4.5.3.1). What a stranger types is kept for an hour, to count their attempts. */
const MAX_ACCOUNT = 320;

/** What is stored of a session token. It needs no salt, since the token has 256 random bits. */
export const hashSessionToken = (token: string): Buffer => createHash('sha256').update(token).digest();

/**
 * Counts failed sign-ins, in this process. The limit of a pair of account and IP address stops guessing at one account from
 * one place, 5 in 15 minutes. The limit of an IP address stops spraying over accounts, 50 in 15 minutes. The limit of an
 * account is wide, so that a stranger cannot lock a coordinator out: 100 in an hour.
 */
export interface SignInThrottle {
  readonly pair: RateLimiterMemory;
  readonly address: RateLimiterMemory;
  readonly account: RateLimiterMemory;
}

export const createSignInThrottle = (): SignInThrottle => ({
  pair: new RateLimiterMemory({ points: 5, duration: 15 * 60 }),
  address: new RateLimiterMemory({ points: 50, duration: 15 * 60 }),
  account: new RateLimiterMemory({ points: 100, duration: 60 * 60 }),
});

export interface SignInInput {
  readonly email: string;
  readonly password: string;
  /** The IP address of the caller's connection. */
  readonly ip: string;
  /** Token of a session that this sign-in replaces. */
  readonly replaces?: string | undefined;
}

export interface SignedIn {
  readonly token: string;
  readonly tenantId: number;
  readonly userId: string;
}

interface FoundUser {
  tenant_id: number;
  id: string;
  password_hash: string;
}

/** Nobody has this password. Verifying it costs what a real check costs, so that the time taken does not tell who exists. */
let nobody: Promise<string> | undefined;

/**
 * Checks an e-mail address and a password, and opens a session.
 * @returns the opaque token for the cookie (43 characters); only its hash is stored
 * @throws Problem 401 `wrong_credentials`; 429 `too_many_attempts` with `retryAfterSeconds`
 */
export async function signIn(deps: Deps, throttle: SignInThrottle, input: SignInInput): Promise<SignedIn> {
  const account = input.email.trim().toLowerCase();
  if (account.length > MAX_ACCOUNT || account.includes('\0')) throw wrongCredentials();
  await consume(throttle, account, input.ip);
  const { rows } = await sql<FoundUser>`SELECT * FROM find_user(${account})`.execute(deps.db.across);
  const user = rows[0];
  nobody ??= hashPassword(randomBytes(16).toString('base64'));
  const right = await verifyPassword(input.password, user?.password_hash ?? (await nobody));
  if (!user || !right) throw wrongCredentials();
  await throttle.pair.delete(`${account} ${input.ip}`);
  await throttle.address.reward(input.ip);
  await throttle.account.reward(account);
  const token = await openSession(deps, user, input.replaces);
  if (token === undefined) throw wrongCredentials();
  return { token, tenantId: user.tenant_id, userId: user.id };
}

const wrongCredentials = () => new Problem(401, 'wrong_credentials', 'The e-mail address or the password is wrong.');

/** @returns undefined where the password was replaced, or the person disabled, while the password was being checked */
async function openSession(deps: Deps, user: FoundUser, replaces: string | undefined): Promise<string | undefined> {
  const token = randomBytes(32).toString('base64url');
  return deps.db.withTenant(user.tenant_id, async (tx) => {
    const csrfToken = randomBytes(32).toString('base64url');
    // The lock makes a change of the password, or a disabling, wait and then find this session among those that it ends.
    const { numAffectedRows } = await sql`
      INSERT INTO sessions (id_hash, tenant_id, user_id, csrf_token, expires_at)
      SELECT ${hashSessionToken(token)}, u.tenant_id, u.id, ${csrfToken}, now() + make_interval(hours => ${ABSOLUTE_HOURS})
      FROM users u
      WHERE u.tenant_id = ${user.tenant_id}
        AND u.id = ${user.id}
        AND u.password_hash = ${user.password_hash}
        AND u.disabled_at IS NULL
      FOR SHARE OF u`.execute(tx);
    if (numAffectedRows !== 1n) return undefined;
    if (replaces) await tx.deleteFrom('sessions').where('id_hash', '=', hashSessionToken(replaces)).execute();
    return token;
  });
}

async function consume(throttle: SignInThrottle, account: string, ip: string): Promise<void> {
  try {
    await throttle.address.consume(ip);
    await throttle.pair.consume(`${account} ${ip}`);
    await throttle.account.consume(account);
  } catch (refusal) {
    if (refusal instanceof Error) throw refusal;
    const retryAfterSeconds = Math.ceil((refusal as RateLimiterRes).msBeforeNext / 1000);
    const minutes = Math.max(1, Math.ceil(retryAfterSeconds / 60));
    throw new Problem(429, 'too_many_attempts', `Too many attempts. Try again in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}.`, {
      extra: { retryAfterSeconds },
    });
  }
}
