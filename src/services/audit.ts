import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import type { Context } from './context.ts';

const GENESIS = Buffer.alloc(32);
const AUDIT_LOCK = 0x4155_4454; // "AUDT"

/**
 * Appends one entry to the tenant's chain: each hash covers the one before, so a changed or removed entry shows.
 * Never per delivery: only what people and schedules decide. Texts and addresses stay out.
 */
export async function appendAudit(
  tx: Tx,
  ctx: Pick<Context, 'tenantId' | 'actor'>,
  action: string,
  object: string,
  detail: Record<string, unknown> = {},
): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${AUDIT_LOCK}, ${ctx.tenantId})`.execute(tx);
  const last = await tx
    .selectFrom('audit_log')
    .select(['seq', 'hash'])
    .where('tenant_id', '=', ctx.tenantId)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  const seq = String(BigInt(last?.seq ?? '0') + 1n);
  const previous = last?.hash ?? GENESIS;
  const hash = createHash('sha256')
    .update(previous)
    .update(JSON.stringify([ctx.tenantId, seq, ctx.actor.label, action, object, detail]))
    .digest();
  await tx
    .insertInto('audit_log')
    .values({ tenant_id: ctx.tenantId, seq, actor: ctx.actor.label, action, object, detail: JSON.stringify(detail), prev_hash: previous, hash })
    .execute();
}
