import { sql } from 'kysely';
import type { Report } from '#channels/email/report.ts';
import type { Tx } from '#db/database.ts';
import { unpackRef } from '#domain/delivery/refs.ts';
import { type Deps, notifyProgress } from '#services/context.ts';
import { recordReceipts, suppressFor } from './record-receipts.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';

/** Whether we ever gave out this return path. */
export const isOurReturnPath = (deps: Pick<Deps, 'tokens'>, ref: string): boolean => deps.tokens.openLower('bounce', ref) !== undefined;

/**
 * What came back for a message that the relay had accepted. A mail server that gave up has failed the delivery, for a passing reason too:
 * nobody tries any more. A mailbox that does not exist is suppressed for this sender, and so is who complains, whose delivery stays what it is.
 * Delays change nothing: the relay is still trying. What cannot be read is counted, and nothing of it is kept: it may hold anything.
 */
export async function receiveBounce(deps: Pick<Deps, 'db' | 'tokens'>, ref: string, report: Pick<Report, 'kind' | 'mailboxGone' | 'code'>): Promise<void> {
  const sealed = deps.tokens.openLower('bounce', ref);
  const delivery = sealed && unpackRef(sealed);
  if (!delivery || report.kind === 'delayed' || report.kind === 'none') return;
  const tenantId = await tenantOfMessage(deps, delivery.messageId);
  if (tenantId === undefined) return;
  if (report.kind === 'complaint') await deps.db.withTenant(tenantId, (tx) => suppressFor(tx, tenantId, delivery, 'complaint'));
  else if (report.kind === 'unread') await deps.db.withTenant(tenantId, (tx) => countUnread(tx, tenantId, delivery.messageId));
  else {
    const effect = report.mailboxGone ? 'no_mailbox' : undefined;
    await recordReceipts(deps, tenantId, [{ ref: delivery, state: 'failed', providerId: null, code: report.code ?? 'bounced', effect }]);
  }
}

async function countUnread(tx: Tx, tenantId: number, messageId: string): Promise<void> {
  await sql`
    INSERT INTO tallies AS t (message_id, kind, key, slot, tenant_id, n)
    VALUES (${messageId}, 'unread_bounce', 'email', pg_backend_pid() % 16, ${tenantId}, 1)
    ON CONFLICT (message_id, kind, key, slot) DO UPDATE SET n = t.n + 1`.execute(tx);
  await notifyProgress(tx, tenantId, messageId);
}
