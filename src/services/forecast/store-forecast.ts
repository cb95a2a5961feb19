import { sql } from 'kysely';
import { planOf } from '#domain/message/plan.ts';
import { wavePeople } from '#db/audience/wave-people.ts';
import type { Audience } from '#schemas/audience.ts';
import { CHANNELS } from '#schemas/delivery.ts';
import type { MessageInput, PlanStep } from '#schemas/message.ts';
import { forecastFacts, forecastOf } from './audience-forecast.ts';
import type { Deps } from '#services/context.ts';
import type { MessageRow } from '#services/message-row.ts';
import { previewText } from './preview-text.ts';

/** As `correctMessage` writes its wave. */
const FOLLOW_UP: PlanStep[] = [{ channels: [...CHANNELS], mode: 'parallel', afterSeconds: 0, to: 'all' }];

/**
 * Keeps the forecast of a launched message, so that the fact can be shown beside it. The planner makes it once the audience is
 * frozen, and not the launch: looking at the names and languages of a million people takes a second, and the first calls must
 * not wait for it. What waits at the senders is counted without the message itself.
 */
export async function storeForecast(
  deps: Pick<Deps, 'db' | 'ids' | 'config' | 'clock'>,
  tenantId: number,
  messageId: string,
): Promise<void> {
  await deps.db.withTenant(tenantId, async (tx) => {
    const row = await tx
      .selectFrom('messages')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('id', '=', messageId)
      .where('forecast', 'is', null)
      .executeTakeFirst();
    if (!row?.launched_at) return;
    const wave = await tx
      .selectFrom('waves')
      .select('selects')
      .where('tenant_id', '=', tenantId)
      .where('message_id', '=', messageId)
      .where('ordinal', '=', 0)
      .executeTakeFirst();
    const follows = wave?.selects === 'reached' ? row.follows_id : null;
    const input = inputOf(row, follows !== null, (id) => deps.ids.decode('rcp', id));
    const facts = await forecastFacts(tx, tenantId, { ...input, followsId: follows, messageId });
    const text = previewText(
      deps,
      { ...input, answers: row.answers, share: row.share, kind: row.kind, said: row.said, endsAt: row.expires_at?.getTime() ?? null },
      facts.tenant,
      facts.groups,
    );
    const stored = forecastOf(facts, input, text, row.launched_at.getTime(), row.expires_at?.getTime() ?? null);
    await tx
      .updateTable('messages')
      .set({ forecast: JSON.stringify(stored) })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', messageId)
      .execute();
  });
}

function inputOf(row: MessageRow, followsUp: boolean, decodeId: (publicId: string) => string | undefined) {
  const people = wavePeople(
    {
      selects: followsUp ? 'reached' : 'all',
      ordinal: 0,
      messageId: row.id,
      followsId: row.follows_id,
      recipientIds: null,
      audience: row.audience as Audience,
    },
    decodeId,
  );
  const fallback = row.text[row.fallback_locale];
  return {
    class: row.class,
    drill: row.drill,
    plan: followsUp ? FOLLOW_UP : planOf(row.class, row.channels as MessageInput['channels']),
    // The database sorts the languages; people whose language is missing are counted with the first one.
    text: { ...(fallback === undefined ? {} : { [row.fallback_locale]: fallback }), ...row.text },
    // Recipients who were added after the launch do not belong to it.
    condition: row.audience_max_id === null ? people : sql<boolean>`(${people} AND r.id <= ${row.audience_max_id})`,
  };
}
