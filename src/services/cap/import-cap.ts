import { sql } from 'kysely';
import { capToMessage } from '#domain/cap/cap-to-message.ts';
import type { CapReference } from '#domain/cap/cap-alert.ts';
import { invalidFields } from '#platform/errors.ts';
import { parseCap } from '#render/cap-xml.ts';
import type { MessageView } from '#schemas/views.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import { createMessage, type MessageOrigin } from '#services/messages/create-message.ts';
import { getMessage } from '#services/messages/get-message.ts';

type FollowKind = 'correction' | 'all_clear';

export interface ImportedCap {
  readonly message: MessageView;
  /** False where the same alert had come before. */
  readonly created: boolean;
}

/**
 * Makes a draft of a CAP 1.2 alert. The same alert again (sender, identifier, sent) gives the draft that it made before,
 * also when both come at once, since a unique index decides.
 * @throws Problem 400 with line and reason; 403 `scope_missing` without `write`; 413; 422 `cap_rule` naming the fields
 */
export async function importCap(ctx: Context, bytes: Uint8Array): Promise<ImportedCap> {
  requireScope(ctx, 'write');
  const { alert, signed } = await parseCap(bytes);
  const draft = capToMessage(alert, signed, ctx.clock.now());
  if ('errors' in draft) throw invalidFields('cap_rule', draft.errors);
  const before = await findByAlert(ctx, alert);
  if (before) return { message: await getMessage(ctx, before.publicId), created: false };
  const origin: MessageOrigin = { cap: draft.cap };
  const follows = await followed(ctx, draft.follows, alert.msgType === 'Cancel' ? 'all_clear' : 'correction');
  if (follows) origin.follows = follows;
  try {
    return { message: await createMessage(ctx, draft.input, origin), created: true };
  } catch (error) {
    const raced = (error as { constraint?: string }).constraint === 'messages_cap' ? await findByAlert(ctx, alert) : undefined;
    if (!raced) throw error;
    return { message: await getMessage(ctx, raced.publicId), created: false };
  }
}

interface FoundAlert {
  readonly id: string;
  readonly publicId: string;
  readonly launched: boolean;
}

async function findByAlert(ctx: Context, { sender, identifier, sent }: CapReference): Promise<FoundAlert | undefined> {
  const row = await inTenant(ctx, (tx) =>
    tx
      .selectFrom('messages')
      .select(['id', 'launched_at'])
      .where('tenant_id', '=', ctx.tenantId)
      .where('cap', 'is not', null)
      // The expressions are written out, since the index messages_cap answers these very expressions alone.
      .where(sql<boolean>`cap ->> 'sender' = ${sender} AND cap ->> 'identifier' = ${identifier} AND cap ->> 'sent' = ${sent}`)
      .executeTakeFirst(),
  );
  return row && { id: row.id, publicId: ctx.ids.encode('msg', row.id), launched: row.launched_at !== null };
}

/**
 * Finds the latest of the referenced alerts that was imported here. Nobody has received a draft, so a text that follows a
 * draft is no correction.
 */
async function followed(ctx: Context, references: readonly CapReference[], kind: FollowKind): Promise<MessageOrigin['follows']> {
  for (const reference of references.toSorted((a, b) => Date.parse(b.sent) - Date.parse(a.sent))) {
    const found = await findByAlert(ctx, reference);
    if (found) return { id: found.id, kind: found.launched ? kind : 'original' };
  }
  return undefined;
}
