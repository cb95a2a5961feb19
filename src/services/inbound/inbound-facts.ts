import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { parseTemplate, withoutNames } from '#domain/message/template.ts';
import { chooseLocale } from '#render/choose-locale.ts';
import { addressFacts, type Channel } from '#schemas/channel-facts.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { AnswerOption } from '#schemas/message.ts';
import { linkExpiresSql } from '#services/links/link-expiry.ts';
import type { Deps } from '#services/context.ts';

/** Everything that decides what an inbound text means. */
export interface InboundFacts {
  readonly tenantName: string;
  readonly timeZone: string | null;
  /** Whether we answer STOP and START with a text of our own; normally the carrier answers these itself. */
  readonly confirmsStop: boolean;
  readonly person: { readonly id: string; readonly locale: string | null; readonly timeZone: string | null } | null;
  readonly locale: string;
  /** Whether this sender must not text the person's number. */
  readonly stopped: boolean;
  /** The message that the text answers: one that is open, or has ended but is still within the life of its links. */
  readonly message: InboundMessage | null;
}

export interface InboundMessage {
  readonly id: string;
  readonly class: MessageClass;
  readonly drill: boolean;
  readonly answers: readonly AnswerOption[];
  readonly open: boolean;
  /** Says which message is meant: its title, or else its text in the person's language without slots. */
  readonly name: string;
}

/** Finds whose number it is, and every sender (live, drill) that uses it. A pool of numbers may stand for each of them. */
export async function findSenders(
  deps: Pick<Deps, 'db'>,
  channel: Channel,
  addresses: readonly string[],
): Promise<{ tenantId: number; senderIds: number[] } | undefined> {
  for (const address of addresses) {
    if (address === '') continue;
    const { rows } = await sql<{ tenant_id: number; sender_id: number }>`
      SELECT tenant_id, sender_id FROM sender_tenant(${channel}::channel, ${address})`.execute(deps.db.across);
    const first = rows[0];
    if (!first) continue;
    const own = rows.filter((row) => row.tenant_id === first.tenant_id);
    return { tenantId: first.tenant_id, senderIds: own.map((row) => row.sender_id) };
  }
  return undefined;
}

/** Who wrote, and to which of our senders. */
export interface Correspondence {
  readonly tenantId: number;
  readonly channel: Channel;
  readonly senderIds: readonly number[];
  readonly from: string;
}

export async function readFacts(tx: Tx, { tenantId, channel, senderIds, from }: Correspondence): Promise<InboundFacts> {
  const { column } = addressFacts(channel);
  if (column === null) throw new Error(`nobody can write back by ${channel}`);
  const tenant = await tx
    .selectFrom('tenants')
    .select(['name', 'default_locale', 'time_zone', 'policy'])
    .where('tenant_id', '=', tenantId)
    .executeTakeFirstOrThrow();
  const person = await tx
    .selectFrom('recipients')
    .select(['id', 'locale', 'time_zone'])
    .where('tenant_id', '=', tenantId)
    .where(column, '=', from)
    .executeTakeFirst();
  const stopped = await tx
    .selectFrom('suppressions')
    .select('sender_id')
    .where('tenant_id', '=', tenantId)
    .where('sender_id', 'in', [...senderIds])
    .where('address', '=', from)
    .limit(1)
    .executeTakeFirst();
  return {
    tenantName: tenant.name,
    timeZone: person?.time_zone ?? tenant.time_zone,
    confirmsStop: tenant.policy['confirmStop'] === true,
    person: person ? { id: person.id, locale: person.locale, timeZone: person.time_zone } : null,
    locale: person?.locale ?? tenant.default_locale,
    stopped: stopped !== undefined,
    message: person ? await findMessage(tx, { tenantId, channel, senderIds }, person) : null,
  };
}

/**
 * Finds the most recent message that this person had: an open one that asks for an answer, else any open one, else one that
 * has ended. A message that came by this channel from this number goes before one that came another way: a person who had a
 * message as a push and texts the number means that one only when no other is open. It takes one look-up by key for each message
 * of the last 31 days, newest first.
 */
async function findMessage(
  tx: Tx,
  { tenantId, channel, senderIds }: Omit<Correspondence, 'from'>,
  person: { id: string; locale: string | null },
): Promise<InboundMessage | null> {
  const delivered = sql`
        SELECT 1 FROM deliveries d
        WHERE d.message_id = m.id AND d.recipient_id = ${person.id} AND d.marked_at IS NOT NULL AND d.sender_id IS NOT NULL`;
  const { rows } = await sql<FoundMessage>`
    SELECT m.id, m.class, m.drill, m.answers, m.title, m.text, m.fallback_locale,
      EXISTS (${delivered} AND d.channel = ${channel}::channel AND d.sender_id = ANY (${[...senderIds]}::int[])) AS this_way,
      m.state IN ('live', 'completed') AND COALESCE(m.expires_at > now(), true) AS open
    FROM messages m
    WHERE m.tenant_id = ${tenantId}
      AND m.state NOT IN ('draft', 'scheduled')
      AND m.created_at > now() - interval '31 days'
      AND ${linkExpiresSql} > now()
      AND EXISTS (${delivered})
    ORDER BY m.id DESC LIMIT 20`.execute(tx);
  const texted = rows.filter((m) => m.this_way);
  const openIn = (some: typeof rows) => some.find((m) => m.open && m.answers.length > 0) ?? some.find((m) => m.open);
  const found = openIn(texted) ?? openIn(rows) ?? rows.find((m) => m.answers.length > 0) ?? rows[0];
  if (!found) return null;
  const { id, class: messageClass, drill, answers, open } = found;
  return { id, class: messageClass, drill, answers, open, name: nameOf(found, person.locale) };
}

interface FoundMessage extends Omit<InboundMessage, 'name'> {
  this_way: boolean;
  title: string | null;
  text: Readonly<Record<string, string>>;
  fallback_locale: string;
}

function nameOf({ title, text, fallback_locale: fallback }: FoundMessage, locale: string | null): string {
  if (title) return title;
  const template = withoutNames(parseTemplate(text[chooseLocale(text, fallback, locale)] ?? ''));
  return template.filter((part) => typeof part === 'string').join('');
}

/** Whether we have already sent this person this kind of reply within the hour, since two machines must not talk for ever. */
export async function repliedLately(tx: Tx, tenantId: number, from: string, outcome: 'unclear' | 'late'): Promise<boolean> {
  const { rows } = await sql`
    SELECT 1 FROM inbound_texts
    WHERE tenant_id = ${tenantId}
      AND from_address = ${from}
      AND outcome = ${outcome}
      AND reply <> ''
      AND at > now() - interval '1 hour'
    LIMIT 1`.execute(tx);
  return rows.length > 0;
}
