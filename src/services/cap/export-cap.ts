import type { Tx } from '#db/database.ts';
import type { CapReference } from '#domain/cap/cap-alert.ts';
import type { KeptCap } from '#domain/cap/cap-to-message.ts';
import { messageToCap, sentOf } from '#domain/cap/message-to-cap.ts';
import { writeCap } from '#render/cap-write.ts';
import type { Audience } from '#schemas/audience.ts';
import { type Context, inTenant } from '#services/context.ts';
import { loadMessage, type MessageRow } from '#services/message-row.ts';

/** A longer chain of corrections is told by its last links alone. */
const MAX_REFERENCES = 20;

/**
 * Writes a message as CAP 1.2 XML. It is an alert of this installation, also where the message was made from another alert.
 * A draft has status Draft; a correction is an Update and an all-clear a Cancel, with references to the messages that they
 * follow, 20 at most.
 * @throws Problem 404
 */
export async function exportCap(ctx: Context, publicId: string): Promise<string> {
  return inTenant(ctx, async (tx) => {
    const row = await loadMessage(tx, ctx, publicId);
    const tenant = await tx.selectFrom('tenants').select('name').where('tenant_id', '=', ctx.tenantId).executeTakeFirstOrThrow();
    return writeCap(
      messageToCap({
        id: ctx.ids.encode('msg', row.id),
        sender: senderOf(ctx),
        tenantName: tenant.name,
        class: row.class,
        drill: row.drill,
        kind: row.kind,
        title: row.title,
        text: row.text,
        said: row.said,
        audience: row.audience as Audience,
        share: row.share,
        createdAt: row.created_at,
        launchedAt: row.launched_at,
        expiresAt: row.expires_at,
        cap: row.cap as KeptCap | null,
        follows: await chain(tx, ctx, row),
      }),
    );
  });
}

/** Identifiers are unique within this installation, so its host stands for the sender who assigns them. */
const senderOf = (ctx: Context): string => new URL(ctx.config.publicUrl).host;

async function chain(tx: Tx, ctx: Context, row: MessageRow): Promise<CapReference[]> {
  const references: CapReference[] = [];
  for (let id = row.follows_id; id !== null && references.length < MAX_REFERENCES; ) {
    const before = await tx
      .selectFrom('messages')
      .select(['id', 'follows_id', 'launched_at', 'created_at'])
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', id)
      .executeTakeFirst();
    if (!before) break;
    references.push({
      sender: senderOf(ctx),
      identifier: ctx.ids.encode('msg', before.id),
      sent: sentOf({ launchedAt: before.launched_at, createdAt: before.created_at }),
    });
    id = before.follows_id;
  }
  return references;
}
