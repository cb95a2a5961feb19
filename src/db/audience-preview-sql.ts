import { type RawBuilder, sql } from 'kysely';
import { CHANNELS, type Channel, type MessageClass } from '#schemas/delivery.ts';
import type { PlanStep } from '#schemas/message.ts';
import { addressSql, type Condition, consentSql, idHashSql, reachSql } from './audience-sql.ts';
import type { Tx } from './database.ts';

/** People who would be called alike: same locale and names of the same size. */
export interface PreviewGroup {
  locale: string | null;
  /** Whether the name holds GSM 03.38 characters alone, and its size in septets, else in UTF-16 units. 0 where unused. */
  name_gsm: boolean;
  name_units: number;
  first_gsm: boolean;
  first_units: number;
  people: number;
  hash: string;
  push: number;
  sms: number;
  email: number;
  unreachable: number;
  suppressed: number;
}

export interface PreviewQuery {
  tenantId: number;
  condition: Condition;
  class: MessageClass;
  plan: readonly PlanStep[];
  senders: Readonly<Partial<Record<Channel, number>>>;
  usesName: boolean;
  usesFirstName: boolean;
  /** Without a text nobody asks who reads which language. */
  byLocale: boolean;
}

/**
 * Everything a preview counts, in one pass over the people (1,000,000: about a second), grouped so that the sizes of their
 * texts follow from a few hundred groups and nobody is looked at one by one. OFFSET 0 keeps the planner from pulling the
 * steps into one, which computed each look at the suppressions and each name up to ten times (6.3 s in place of 0.9 s for
 * 300,000 people with both name slots).
 */
export async function previewGroups(tx: Tx, query: PreviewQuery): Promise<PreviewGroup[]> {
  const { tenantId, condition, plan, senders } = query;
  const reached = CHANNELS.filter((channel) => senders[channel] !== undefined && plan.some((step) => step.channels.includes(channel)));
  const none = sql`false`;
  const any = (conditions: RawBuilder<unknown>[]): RawBuilder<unknown> => (conditions.length === 0 ? none : sql`(${sql.join(conditions, sql` OR `)})`);
  const { rows } = await sql<PreviewGroup>`
    WITH person AS (
      SELECT r.id, ${query.byLocale ? sql`r.locale` : sql`NULL::text`} AS locale, ${sizedText(query)},
        ${any(reached.map(addressSql))} AS addressed, ${consentSql(query.class)} AS consented,
        ${sql.join(CHANNELS.map((channel) => sql`${reached.includes(channel) ? reachSql(channel, senders[channel]) : none} AS ${sql.ref(`reach_${channel}`)}`))}
      FROM recipients r WHERE r.tenant_id = ${tenantId} AND r.erased_at IS NULL AND ${condition} OFFSET 0
    ), used AS (
      SELECT r.*, ${sql.join(CHANNELS.map((channel) => sql`(consented AND ${any(plan.map((step) => usedBy(step, channel)))}) AS ${sql.ref(`use_${channel}`)}`))} FROM person r OFFSET 0
    )
    SELECT locale, ${sizes('name')}, ${sizes('first')}, count(*)::float8 AS people, bit_xor(${idHashSql})::text AS hash,
      count(*) FILTER (WHERE use_push)::float8 AS push, count(*) FILTER (WHERE use_sms)::float8 AS sms, count(*) FILTER (WHERE use_email)::float8 AS email,
      count(*) FILTER (WHERE NOT addressed)::float8 AS unreachable,
      count(*) FILTER (WHERE addressed AND NOT (use_push OR use_sms OR use_email))::float8 AS suppressed
    FROM used r GROUP BY 1, 2, 3, 4, 5`.execute(tx);
  return rows;
}

/** `first`: only where no earlier channel of the step reaches the person. */
function usedBy(step: PlanStep, channel: Channel): RawBuilder<unknown> {
  const at = step.channels.indexOf(channel);
  if (at < 0) return sql`false`;
  const earlier = step.mode === 'first' ? step.channels.slice(0, at) : [];
  const reach = (one: Channel) => sql.ref(`reach_${one}`);
  return sql`(${sql.join([reach(channel), ...earlier.map((one) => sql`NOT ${reach(one)}`)], sql` AND `)})`;
}

/** As the renderer cuts and splits names (slot-values.ts): one line, 40 characters; the given name after a comma; no title. */
function sizedText({ usesName, usesFirstName }: PreviewQuery): RawBuilder<unknown> {
  const name = sql`left(btrim(coalesce(r.name, '')), 40)`;
  const given = sql`CASE WHEN btrim(split_part(${name}, ',', 2)) <> '' THEN btrim(substr(${name}, strpos(${name}, ',') + 1)) ELSE split_part(${name}, ',', 1) END`;
  const first = sql`split_part(regexp_replace(${given}, '^([[:alpha:]]{2,}\\. +)+(?=.)', ''), ' ', 1)`;
  return sql`${usesName ? name : sql`''`} AS name, ${usesFirstName ? first : sql`''`} AS first`;
}

/** GSM 03.38: the extension characters cost two septets, and what translate() leaves over is in neither table. */
const EXTENDED = '^{}[]~\\|€';
const GSM = `@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà${EXTENDED}`;

function sizes(column: 'name' | 'first'): RawBuilder<unknown> {
  const text = sql.ref(`r.${column}`);
  // Nearly every name: a regular expression costs a third of what translate() through 137 characters does.
  const plain = sql`${text} ~ '^[A-Za-z0-9 .,''-]*$'`;
  const isGsm = sql`(${plain} OR translate(${text}, ${GSM}, '') = '')`;
  // UTF-16 units: characters beyond the basic plane take four bytes of UTF-8 and two units; three bytes and less take one.
  const wide = sql`length(${text}) + length(regexp_replace(${text}, '[^\\U00010000-\\U0010ffff]', '', 'g'))`;
  const septets = sql`length(${text}) + length(${text}) - length(translate(${text}, ${EXTENDED}, ''))`;
  return sql`${isGsm} AS ${sql.ref(`${column}_gsm`)}, CASE WHEN ${plain} THEN length(${text}) WHEN ${isGsm} THEN ${septets} ELSE ${wide} END AS ${sql.ref(`${column}_units`)}`;
}
