import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';
import { type Context, inTenant } from './context.ts';

/** How long a request may go without a sign of life before a repeat may take its key over. */
const LOCK_SECONDS = 15;

export interface StoredAnswer {
  readonly status: number;
  readonly headers: Record<string, string> | null;
  readonly body: string;
}

export type KeyClaim =
  /** This request executes. `fence` is when the claim was made, so that a request which takes the key over has another one. */
  | { readonly kind: 'mine'; readonly fence: string }
  | { readonly kind: 'answered'; readonly requestHash: Buffer; readonly answer: StoredAnswer }
  | { readonly kind: 'running'; readonly requestHash: Buffer; readonly retryAfterSeconds: number };

interface KeyRow {
  request_hash: Buffer;
  status: number | null;
  headers: Record<string, string> | null;
  body: string | null;
  seconds: number;
}

/**
 * Takes the key for this request, or says what became of it. One of any number of equal requests at once gets it.
 * A key is free again after 24 hours, and 15 seconds after the last sign of life of a request that died without an answer.
 */
export async function claimKey(ctx: Context, key: string, requestHash: Buffer): Promise<KeyClaim> {
  const values = { tenantId: ctx.tenantId, key, requestHash };
  for (let tries = 0; ; tries++) {
    const [[mine], [row]] = await ctx.db.atOnce(ctx.tenantId, (tx) => Promise.all([CLAIM(tx, values), FIND(tx, values)]));
    if (mine) return { kind: 'mine', fence: mine.fence };
    if (row && row.status !== null) {
      const answer = { status: row.status, headers: row.headers, body: row.body ?? '' };
      return { kind: 'answered', requestHash: row.request_hash, answer };
    }
    if (row) return { kind: 'running', requestHash: row.request_hash, retryAfterSeconds: Math.max(1, Math.min(row.seconds, 2)) };
    // The key was released between the two statements, so take it; not for ever, should other requests keep releasing it.
    if (tries === 3) return { kind: 'running', requestHash, retryAfterSeconds: 1 };
  }
}

interface KeyValues {
  tenantId: number;
  key: string;
  requestHash: Buffer;
}

const CLAIM = prepared<KeyValues, { fence: string }>(
  'claim_key',
  (at) => sql`
    INSERT INTO idempotency_keys AS k (tenant_id, key, request_hash, locked_until)
    VALUES (
      ${at('tenantId')}, ${at('key')}, ${at('requestHash')},
      clock_timestamp() + make_interval(secs => ${sql.lit(LOCK_SECONDS)})
    )
    ON CONFLICT (tenant_id, key) DO UPDATE
    SET request_hash = excluded.request_hash, status = NULL, headers = NULL, body = NULL,
      created_at = clock_timestamp(), locked_until = excluded.locked_until
    WHERE k.created_at < clock_timestamp() - interval '24 hours'
      OR (k.status IS NULL AND k.locked_until < clock_timestamp() AND k.request_hash = excluded.request_hash)
    RETURNING k.created_at::text AS fence`,
);

/** It travels in the packet of the claim, because a request that comes too late needs what it reads. */
const FIND = prepared<KeyValues, KeyRow>(
  'find_key',
  (at) => sql`
    SELECT request_hash, status, headers, body,
      extract(epoch FROM locked_until - clock_timestamp())::float8 AS seconds
    FROM idempotency_keys
    WHERE tenant_id = ${at('tenantId')}
      AND key = ${at('key')}`,
);

/** The key still belongs to the request with this fence, and has no answer yet. */
const stillMine = (tenantId: number, key: string, fence: string) => sql<boolean>`
  tenant_id = ${tenantId}
  AND key = ${key}
  AND created_at = ${fence}::timestamptz
  AND status IS NULL`;

/** Keeps the key's answer. @returns false where the key no longer belongs to this request, or has an answer already */
export async function storeAnswer(
  tx: Tx,
  tenantId: number,
  key: string,
  fence: string,
  answer: StoredAnswer,
  /** The hash of a streamed request, which is known only when its body has been read. */
  requestHash?: Buffer,
): Promise<boolean> {
  const headers = answer.headers === null ? null : JSON.stringify(answer.headers);
  const { numAffectedRows } = await sql`
    UPDATE idempotency_keys
    SET status = ${answer.status}, headers = ${headers}, body = ${answer.body},
      request_hash = coalesce(${requestHash ?? null}, request_hash)
    WHERE ${stillMine(tenantId, key, fence)}`.execute(tx);
  return numAffectedRows === 1n;
}

/** Lets a repeat execute, because the request ended without an answer worth keeping. */
export async function releaseKey(ctx: Context, key: string, fence: string): Promise<void> {
  await inTenant(ctx, (tx) =>
    sql`
      DELETE FROM idempotency_keys
      WHERE ${stillMine(ctx.tenantId, key, fence)}`.execute(tx),
  );
}

/** Gives a sign of life of a long request, such as an import. */
export async function renewKey(ctx: Context, key: string, fence: string): Promise<void> {
  await inTenant(ctx, (tx) =>
    sql`
      UPDATE idempotency_keys
      SET locked_until = clock_timestamp() + make_interval(secs => ${LOCK_SECONDS})
      WHERE ${stillMine(ctx.tenantId, key, fence)}`.execute(tx),
  );
}
