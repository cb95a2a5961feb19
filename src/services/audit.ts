import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import type { Context } from './context.ts';

const GENESIS = Buffer.alloc(32);
const AUDIT_LOCK = 0x4155_4454; // "AUDT"

export interface AuditEntry {
  readonly action: string;
  readonly object: string;
  readonly detail?: Record<string, unknown>;
}

/** Appends one entry to the tenant's chain. */
export const appendAudit = (
  tx: Tx,
  ctx: Pick<Context, 'tenantId' | 'actor'>,
  action: string,
  object: string,
  detail: Record<string, unknown> = {},
): Promise<void> => appendAudits(tx, ctx, [{ action, object, detail }]);

/**
 * Appends entries to the tenant's chain. Each hash (SHA-256) covers the hash before it, so that a changed or removed entry
 * shows. Only what people and schedules decide is written here, never a delivery; texts and addresses stay out.
 */
export async function appendAudits(tx: Tx, ctx: Pick<Context, 'tenantId' | 'actor'>, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const { tenantId } = ctx;
  // These are two statements because a snapshot is taken when a statement starts: the second one starts with the lock held.
  const [, last] = await Promise.all([
    sql`SELECT pg_advisory_xact_lock(${AUDIT_LOCK}, ${tenantId})`.execute(tx),
    tx.selectFrom('audit_log').select(['seq', 'hash']).where('tenant_id', '=', tenantId).orderBy('seq', 'desc').limit(1).executeTakeFirst(),
  ]);
  let [seq, previous] = [BigInt(last?.seq ?? '0'), last?.hash ?? GENESIS];
  const rows = entries.map(({ action, object, detail = {} }) => {
    seq += 1n;
    const hash = createHash('sha256')
      .update(previous)
      .update(JSON.stringify([ctx.tenantId, String(seq), ctx.actor.label, action, object, detail]))
      .digest();
    const row = {
      tenant_id: ctx.tenantId,
      seq: String(seq),
      actor: ctx.actor.label,
      action,
      object,
      detail: JSON.stringify(detail),
      prev_hash: previous,
      hash,
    };
    previous = hash;
    return row;
  });
  await tx.insertInto('audit_log').values(rows).execute();
}
