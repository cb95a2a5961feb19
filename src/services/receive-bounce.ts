import { sql } from 'kysely';
import { unpackRef } from '#domain/refs.ts';
import type { Deps } from './context.ts';
import { recordReceipts } from './record-receipts.ts';

/** Whether we ever gave out this return path. */
export const isOurReturnPath = (deps: Pick<Deps, 'tokens'>, ref: string): boolean => deps.tokens.openLower('bounce', ref) !== undefined;

/**
 * A delivery report for a message that the relay had accepted. Permanent: the delivery failed, and a mailbox that does
 * not exist is suppressed for this sender. Delays change nothing: the relay is still trying.
 */
export async function receiveBounce(
  deps: Pick<Deps, 'db' | 'tokens'>,
  ref: string,
  bounce: { permanent: boolean; mailboxGone: boolean; status: string },
): Promise<void> {
  const sealed = deps.tokens.openLower('bounce', ref);
  const delivery = sealed && unpackRef(sealed);
  if (!delivery || !bounce.permanent) return;
  const { rows } = await sql<{ tenant_id: number | null }>`SELECT message_tenant(${delivery.messageId}) AS tenant_id`.execute(deps.db.across);
  const tenantId = rows[0]?.tenant_id;
  if (tenantId === undefined || tenantId === null) return;
  await recordReceipts(deps, tenantId, [
    { ref: delivery, state: 'failed', providerId: null, code: bounce.status, ...(bounce.mailboxGone ? { effect: 'no_mailbox' as const } : {}) },
  ]);
}
