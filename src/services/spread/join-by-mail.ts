import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { readRecipient } from '#domain/recipients/recipient-fields.ts';
import { invalidField, Problem } from '#platform/errors.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Deps } from '#services/context.ts';
import { joinThroughShare } from './join.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';
import type { ShareLink } from './share-page.ts';

/** Sends one plain mail, and rejects where the relay does not take it. */
export type Mailer = (to: string, subject: string, text: string) => Promise<void>;

/** The public pages' dependencies. Without a mailer nobody can join by e-mail. */
export interface PublicDeps extends Deps {
  readonly mailer?: Mailer | undefined;
}

export interface MailJoin {
  readonly link: ShareLink;
  readonly tenantId: number;
  readonly email: string;
  readonly consent: readonly MessageClass[];
  readonly locale: string;
  readonly words: { readonly subject: string; readonly text: (link: string) => string };
}

/** The limit keeps one sharer's link from becoming a way to send mail to strangers. */
const MAILS_PER_SHARER_AND_HOUR = 20;

/**
 * The first half of the double opt-in. The visitor learns nothing of whether the address is known, was asked lately or
 * wants no mail, since the caller shows the same page in every case.
 * @returns whether a mail was sent
 * @throws Problem 422 `bad_email`
 */
export async function requestMailJoin(deps: PublicDeps, { link, tenantId, email, consent, locale, words }: MailJoin): Promise<boolean> {
  const { fields } = readRecipient({ email }, 'US');
  const address = fields.email?.toLowerCase();
  if (address === undefined) throw invalidField('email', 'bad_email', 'is not an e-mail address');
  if (deps.mailer === undefined) return false;
  const pendingId = await deps.db.withTenant(tenantId, (tx) => addPending(tx, deps, tenantId, { link, address, consent, locale }));
  if (pendingId === undefined) return false;
  const token = deps.tokens.seal('join', { a: Number(link.messageId), b: Number(pendingId), extra: 0 });
  try {
    await deps.mailer(address, words.subject, words.text(`${deps.config.publicUrl}/s/confirm/${token}`));
    return true;
  } catch (error) {
    deps.log.warn({ code: (error as { code?: string }).code ?? 'mail_failed' }, 'a confirmation mail was not taken');
    // The row is deleted, so that asking again sends again.
    await deps.db.withTenant(tenantId, (tx) => {
      const pending = tx.deleteFrom('pending_joins').where('tenant_id', '=', tenantId).where('id', '=', pendingId);
      return pending.where('confirmed_at', 'is', null).execute();
    });
    return false;
  }
}

interface Asked {
  readonly link: ShareLink;
  readonly address: string;
  readonly consent: readonly MessageClass[];
  readonly locale: string;
}

/** @returns undefined where no mail may be sent */
async function addPending(tx: Tx, deps: Deps, tenantId: number, asked: Asked): Promise<string | undefined> {
  const { link, address, consent, locale } = asked;
  await sql`SELECT pg_advisory_xact_lock(hashtextextended('join mails', ${link.recipientId}::bigint))`.execute(tx);
  const fingerprint = deps.tokens.mac('join-mail', `${link.messageId} ${address}`).toString('hex');
  const mailsOfSharer = sql`(
    SELECT count(*)
    FROM pending_joins x
    WHERE x.tenant_id = ${tenantId}
      AND x.parent_id = ${link.recipientId}
      AND x.created_at > now() - interval '1 hour')`;
  const known = sql`EXISTS (
    SELECT 1
    FROM recipients r
    WHERE r.tenant_id = ${tenantId}
      AND lower(r.email) = ${address})`;
  const suppressed = sql`EXISTS (
    SELECT 1
    FROM suppressions s
    WHERE s.tenant_id = ${tenantId}
      AND s.address = ${address})`;
  const { rows } = await sql<{ id: string }>`
    INSERT INTO pending_joins AS p (tenant_id, message_id, parent_id, channel, address, code, consent, locale, expires_at)
    SELECT ${tenantId}, ${link.messageId}, ${link.recipientId}, 'email', ${address}, ${fingerprint},
      ${[...consent]}::message_class[], ${locale}, now() + interval '48 hours'
    WHERE ${mailsOfSharer} < ${MAILS_PER_SHARER_AND_HOUR}
      AND NOT ${known}
      AND NOT ${suppressed}
    ON CONFLICT (tenant_id, code) DO UPDATE
    SET parent_id = excluded.parent_id, consent = excluded.consent, locale = excluded.locale,
      created_at = now(), expires_at = excluded.expires_at
    WHERE p.confirmed_at IS NULL
      AND p.created_at < now() - interval '1 hour'
    RETURNING id`.execute(tx);
  return rows[0]?.id;
}

export interface PendingJoin {
  readonly tenantId: number;
  readonly id: string;
  readonly tenantName: string;
  readonly locale: string;
  readonly confirmed: boolean;
  readonly expired: boolean;
}

/**
 * Reads what the confirmation link names. It writes nothing, since mail scanners open links.
 * @returns undefined for a link that is not ours
 */
export async function loadPendingJoin(deps: Pick<Deps, 'db' | 'tokens'>, token: string): Promise<PendingJoin | undefined> {
  const sealed = deps.tokens.open('join', token);
  const tenantId = sealed && (await tenantOfMessage(deps, sealed.a));
  if (!sealed || tenantId === undefined) return undefined;
  return deps.db.withTenant(tenantId, async (tx) => {
    const { rows } = await sql<{ tenant_name: string; locale: string | null; confirmed: boolean; expired: boolean }>`
      SELECT t.name AS tenant_name, COALESCE(p.locale, t.default_locale) AS locale,
        p.confirmed_at IS NOT NULL AS confirmed, p.expires_at <= now() AS expired
      FROM pending_joins p
      JOIN tenants t USING (tenant_id)
      WHERE p.tenant_id = ${tenantId}
        AND p.id = ${sealed.b}
        AND p.message_id = ${sealed.a}`.execute(tx);
    const row = rows[0];
    if (!row) return undefined;
    const { tenant_name: tenantName, locale, confirmed, expired } = row;
    return { tenantId, id: String(sealed.b), tenantName, locale: locale ?? 'en', confirmed, expired };
  });
}

interface PendingRow {
  message_id: string;
  parent_id: string;
  address: string;
  consent: MessageClass[];
  locale: string | null;
  confirmed: boolean;
  expired: boolean;
}

/**
 * The second half of the double opt-in: the person joins. Confirming twice is no error and adds nobody.
 * @throws Problem 410 `closed` where the link or the message is over
 */
export async function confirmMailJoin(deps: Deps, pending: PendingJoin): Promise<void> {
  const { tenantId, id } = pending;
  const waveId = await deps.db.withTenant(tenantId, async (tx) => {
    const { rows } = await sql<PendingRow>`
      SELECT message_id, parent_id, address, consent::text[] AS consent, locale,
        confirmed_at IS NOT NULL AS confirmed, expires_at <= now() AS expired
      FROM pending_joins
      WHERE tenant_id = ${tenantId}
        AND id = ${id}
      FOR UPDATE`.execute(tx);
    const row = rows[0];
    if (!row || (row.expired && !row.confirmed)) throw new Problem(410, 'closed', 'This confirmation has expired.');
    if (row.confirmed) return null;
    const joined = await joinThroughShare(tx, deps, tenantId, {
      messageId: row.message_id,
      parentId: row.parent_id,
      by: { channel: 'email', address: row.address },
      consent: row.consent,
      locale: row.locale,
    });
    const own = tx.updateTable('pending_joins').where('tenant_id', '=', tenantId).where('id', '=', id);
    await own.set({ confirmed_at: sql`now()` }).execute();
    return joined.waveId;
  });
  if (waveId !== null) await deps.queue.nudge('plan', { tenantId, waveId });
}
