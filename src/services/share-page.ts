import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Deps } from './context.ts';
import { joinCode } from './join-code.ts';
import { messageFor, type PublicMessage, readMessageFacts, tenantOfMessage } from './public-message.ts';

export interface ShareLink {
  readonly messageId: string;
  /** Whose link it is. */
  readonly recipientId: string;
}

/** What anybody with a share link sees. */
export interface SharePage {
  readonly message: PublicMessage;
  /** Null once nobody can join any more. */
  readonly join: { readonly sms: { readonly number: string; readonly text: string } | null } | null;
}

/** @returns undefined where there is nothing to share */
export async function loadSharePage(deps: Pick<Deps, 'db' | 'tokens' | 'clock'>, link: ShareLink, locale: string): Promise<SharePage | undefined> {
  const tenantId = await tenantOfMessage(deps, link.messageId);
  if (tenantId === undefined) return undefined;
  return deps.db.withTenant(tenantId, async (tx) => {
    const facts = await readMessageFacts(tx, tenantId, link.messageId);
    if (!facts?.row.share) return undefined;
    const message = messageFor(facts, locale, deps.clock.now());
    const open = !message.late && (message.state === 'live' || message.state === 'completed');
    if (!open) return { message, join: null };
    const number = await numberFor(tx, tenantId, message.class, message.drill);
    return { message, join: { sms: number === undefined ? null : { number, text: `JOIN ${joinCode(deps, link.messageId, link.recipientId)}` } } };
  });
}

/** The number that this message leaves from, where people can text to it (a Messaging Service's name is none). */
async function numberFor(tx: Tx, tenantId: number, klass: MessageClass, drill: boolean): Promise<string | undefined> {
  const { rows } = await sql<{ address: string }>`
    SELECT address FROM senders WHERE tenant_id = ${tenantId} AND channel = 'sms' AND drill = ${drill} AND ${klass}::message_class = ANY (classes) ORDER BY id LIMIT 1`.execute(
    tx,
  );
  return rows.find((row) => /^\+?\d{3,15}$/.test(row.address))?.address;
}
