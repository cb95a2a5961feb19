import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import type { Returned } from '#domain/delivery/evidence.ts';
import { type DeliveryRef, unpackRef } from '#domain/delivery/refs.ts';
import { factsOf } from '#schemas/channel-facts.ts';
import { type Deps, notifyProgress } from '#services/context.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';
import { recordReceipts, suppressFor } from './record-receipts.ts';

/** Whether we ever gave out this return path. */
export const isOurReturnPath = (deps: Pick<Deps, 'tokens'>, token: string): boolean => deps.tokens.openLower('bounce', token) !== undefined;

/**
 * Records what came back on the return path of a message that its relay had accepted. A mail server that gave up has failed the
 * delivery, for a passing reason too, since nobody tries any more. A person who complains is suppressed for this sender, and
 * their delivery stays what it is. What cannot be read is counted, and nothing of it is kept, since it may hold anything.
 */
export async function receiveBounce(deps: Pick<Deps, 'db' | 'tokens'>, token: string, returned: Returned): Promise<void> {
  const sealed = deps.tokens.openLower('bounce', token);
  const ref = sealed && unpackRef(sealed);
  if (!ref || factsOf(ref.channel).evidence !== 'bounce') return;
  const tenantId = await tenantOfMessage(deps, ref.messageId);
  if (tenantId === undefined) return;
  if (returned.kind === 'evidence') await recordReceipts(deps, tenantId, [{ ref, ...returned.evidence }]);
  else if (returned.kind === 'complaint') await deps.db.withTenant(tenantId, (tx) => suppressFor(tx, tenantId, ref, 'complaint'));
  else await deps.db.withTenant(tenantId, (tx) => countUnread(tx, tenantId, ref));
}

async function countUnread(tx: Tx, tenantId: number, { messageId, channel }: DeliveryRef): Promise<void> {
  await sql`
    INSERT INTO tallies AS t (message_id, kind, key, slot, tenant_id, n)
    VALUES (${messageId}, 'unread_bounce', ${channel}, pg_backend_pid() % 16, ${tenantId}, 1)
    ON CONFLICT (message_id, kind, key, slot) DO UPDATE SET n = t.n + 1`.execute(tx);
  await notifyProgress(tx, tenantId, messageId);
}
