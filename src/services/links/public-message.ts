import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { BoundedMap } from '#domain/bounded-map.ts';
import { fillTemplate, parseTemplate } from '#domain/message/template.ts';
import { chooseLocale } from '#render/choose-locale.ts';
import { wordingLines } from '#render/wording-lines.ts';
import { wordsFor } from '#render/words.ts';
import type { MessageClass, MessageState } from '#schemas/delivery.ts';
import type { AnswerOption } from '#schemas/message.ts';
import type { Wording } from '#schemas/wording.ts';
import { linkExpiresSql } from './link-expiry.ts';

/** A message as anybody with a link may see it, without a name, a number or another recipient. */
export interface PublicMessage {
  readonly tenantId: number;
  readonly messageId: string;
  readonly tenantName: string;
  readonly class: MessageClass;
  readonly drill: boolean;
  readonly state: MessageState;
  readonly answers: readonly AnswerOption[];
  readonly share: boolean;
  readonly title: string | null;
  readonly locale: string;
  readonly text: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date | null;
  readonly stoppedAt: Date | null;
  /** The message is past its own end, though its links may still work. */
  readonly late: boolean;
  /** The message is past the end of its links. */
  readonly over: boolean;
  /** The latest correction or all clear. */
  readonly followUp: FollowUp | null;
}

export interface FollowUp {
  readonly kind: 'correction' | 'all_clear';
  readonly locale: string;
  readonly text: string;
  readonly at: Date;
}

/** A message as it stands in the database, for readers of any language. */
export interface MessageFacts {
  readonly tenantId: number;
  readonly messageId: string;
  readonly tenantName: string;
  /** The tenant's locale, for people who have none of their own. */
  readonly defaultLocale: string;
  /** The tenant's IANA time zone, for people who have none of their own; null while nobody has set it. */
  readonly timeZone: string | null;
  readonly row: Row;
  readonly follow: FollowRow | undefined;
}

interface Row {
  class: MessageClass;
  drill: boolean;
  state: MessageState;
  answers: AnswerOption[];
  share: boolean;
  title: string | null;
  text: Record<string, string>;
  said: Wording | null;
  fallback_locale: string;
  issued_at: Date;
  expires_at: Date | null;
  stopped_at: Date | null;
  links_end_at: Date;
}

interface FollowRow {
  kind: 'correction' | 'all_clear';
  text: Record<string, string>;
  said: Wording | null;
  fallback_locale: string;
  launched_at: Date;
}

/**
 * The text of a page. Personal slots are left out, since the page names nobody. What must be said and the text does not say
 * stands below it, but for the organisation, which the page names itself.
 */
function plain(row: Pick<Row, 'text' | 'said'>, locale: string, tenantName: string): string {
  const { issuer, ...others } = row.said?.[locale] ?? {};
  const said = { [locale]: issuer === undefined || issuer === tenantName ? others : { ...others, issuer } };
  return [fillTemplate(parseTemplate(row.text[locale] ?? ''), {}), ...wordingLines({ text: row.text, said }, locale, wordsFor(locale))]
    .join('\n')
    .replace(/[ \t]+$/gm, '')
    .trim();
}

/** @returns undefined for a message that is not launched or does not exist */
export async function readMessageFacts(tx: Tx, tenantId: number, messageId: string): Promise<MessageFacts | undefined> {
  const { rows } = await sql<Row & { tenant_name: string; default_locale: string; time_zone: string | null }>`
    SELECT t.name AS tenant_name, t.default_locale, t.time_zone,
      m.class, m.drill, m.state, m.answers, m.share, m.title, m.text, m.said, m.fallback_locale,
      COALESCE(m.launched_at, m.created_at) AS issued_at, m.expires_at, m.stopped_at, ${linkExpiresSql} AS links_end_at
    FROM messages m
    JOIN tenants t USING (tenant_id)
    WHERE m.tenant_id = ${tenantId}
      AND m.id = ${messageId}
      AND m.state NOT IN ('draft', 'scheduled')`.execute(tx);
  const row = rows[0];
  if (!row) return undefined;
  const { tenant_name: tenantName, default_locale: defaultLocale, time_zone: timeZone } = row;
  return { tenantId, messageId, tenantName, defaultLocale, timeZone, row, follow: await readFollowUp(tx, tenantId, messageId) };
}

/** The latest correction or all clear of all that follow the message, also of those that follow a correction. */
async function readFollowUp(tx: Tx, tenantId: number, messageId: string): Promise<FollowRow | undefined> {
  const { rows } = await sql<FollowRow>`
    WITH RECURSIVE f AS (
      SELECT id, kind, text, said, fallback_locale, launched_at
      FROM messages
      WHERE tenant_id = ${tenantId}
        AND follows_id = ${messageId}
        AND launched_at IS NOT NULL
      UNION ALL
      SELECT m.id, m.kind, m.text, m.said, m.fallback_locale, m.launched_at
      FROM messages m
      JOIN f ON m.follows_id = f.id
      WHERE m.tenant_id = ${tenantId}
        AND m.launched_at IS NOT NULL
    )
    SELECT kind, text, said, fallback_locale, launched_at
    FROM f
    WHERE kind IN ('correction', 'all_clear')
    ORDER BY id DESC
    LIMIT 1`.execute(tx);
  return rows[0];
}

/** A thousand pairs of message and language may be read at a time; a text takes some 2 kB. */
const made = new BoundedMap<string, { readonly facts: MessageFacts; readonly message: PublicMessage }>(1_000);

/**
 * The message for one reader. It is the same object for all readers of a language while the facts are the same, so that a
 * page made of it can be kept with it.
 * @param wanted the reader's locale
 * @param now milliseconds since the epoch; decides `late` and `over`
 */
export function messageFor(facts: MessageFacts, wanted: string | null, now: number): PublicMessage {
  const { row } = facts;
  const late = row.state === 'expired' || (row.expires_at !== null && row.expires_at.getTime() <= now);
  const over = row.links_end_at.getTime() <= now;
  const key = `${facts.messageId} ${wanted ?? ''}`;
  const kept = made.get(key);
  if (kept?.facts === facts && kept.message.late === late && kept.message.over === over) return kept.message;
  const message = makeMessage(facts, wanted, { late, over });
  made.set(key, { facts, message });
  return message;
}

function makeMessage(facts: MessageFacts, wanted: string | null, ends: Pick<PublicMessage, 'late' | 'over'>): PublicMessage {
  const { row, follow } = facts;
  const locale = chooseLocale(row.text, row.fallback_locale, wanted);
  return {
    tenantId: facts.tenantId,
    messageId: facts.messageId,
    tenantName: facts.tenantName,
    class: row.class,
    drill: row.drill,
    state: row.state,
    answers: row.answers,
    share: row.share,
    title: row.title,
    locale,
    text: plain(row, locale, facts.tenantName),
    issuedAt: row.issued_at,
    expiresAt: row.expires_at,
    stoppedAt: row.stopped_at,
    ...ends,
    followUp: follow ? makeFollowUp(follow, facts.tenantName, wanted) : null,
  };
}

function makeFollowUp(follow: FollowRow, tenantName: string, wanted: string | null): FollowUp {
  const locale = chooseLocale(follow.text, follow.fallback_locale, wanted);
  return { kind: follow.kind, locale, text: plain(follow, locale, tenantName), at: follow.launched_at };
}
