import { sql } from 'kysely';
import type { MessageClass } from '#schemas/delivery.ts';
import type { RecipientView } from '#schemas/recipient.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant } from '#services/context.ts';
import { loadRecipient, viewRecipient } from './recipient-view.ts';

/** A person who was never asked is taken to allow this. */
const UNASKED: readonly MessageClass[] = ['life', 'ops'];
const ORDER: readonly MessageClass[] = ['life', 'ops', 'bulk'];

interface ConsentChange {
  readonly purpose: MessageClass;
  readonly agreed: boolean;
}

/**
 * Records that a person agrees to one purpose, or no longer does; the other purposes stay as they are. Life messages are sent
 * whatever is said here. An opt-out at a sender (STOP, unsubscribe) stays until START or its removal, since agreeing in
 * general does not undo what was said to one sender.
 * @throws Problem 404; 410 `erased`
 */
export async function changeConsent(ctx: Context, publicId: string, input: ConsentChange): Promise<RecipientView> {
  return inTenant(ctx, async (tx) => {
    const row = await loadRecipient(tx, ctx, publicId, true);
    const now = new Set(row.consent ?? UNASKED);
    if (input.agreed) now.add(input.purpose);
    else now.delete(input.purpose);
    await tx
      .updateTable('recipients')
      .set({ consent: sql`${ORDER.filter((purpose) => now.has(purpose))}::message_class[]`, updated_at: sql`now()` })
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', row.id)
      .execute();
    await appendAudit(tx, ctx, 'recipient.consent', row.id, { purpose: input.purpose, agreed: input.agreed });
    return viewRecipient(ctx, await loadRecipient(tx, ctx, publicId));
  });
}
