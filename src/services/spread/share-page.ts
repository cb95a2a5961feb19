import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { knownZone } from '#domain/clock-time.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Deps } from '#services/context.ts';
import { joinCode } from './join-code.ts';
import { LoadCache } from '#services/load-cache.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';
import { type MessageFacts, messageFor, type PublicMessage, readMessageFacts } from '#services/links/public-message.ts';

type PageDeps = Pick<Deps, 'db' | 'tokens' | 'clock'>;

export interface ShareLink {
  readonly messageId: string;
  /** The person who shares. */
  readonly recipientId: string;
}

/** What anybody with a share link sees. */
export interface SharePage {
  readonly message: PublicMessage;
  /** The organisation's time zone, since nothing is known of the visitor. */
  readonly timeZone: string;
  /** How to join; null once nobody can join any more. */
  readonly join: { readonly sms: { readonly number: string; readonly text: string } | null } | null;
}

/** A stop or a correction shows on the share page within a second, however many people visit it. */
const LIFETIME_MS = 1_000;
const KEPT = 1_000;

/** What the page of a message needs, with nothing of the person who shared it or who visits it. */
interface Shared {
  readonly facts: MessageFacts;
  readonly number: string | undefined;
}

const caches = new WeakMap<object, LoadCache<Shared>>();

async function recentShared(deps: Pick<Deps, 'db' | 'clock'>, messageId: string): Promise<Shared | undefined> {
  let cache = caches.get(deps.db);
  if (!cache) {
    cache = new LoadCache(KEPT, LIFETIME_MS);
    caches.set(deps.db, cache);
  }
  return cache.get(messageId, deps.clock.now(), async () => {
    const tenantId = await tenantOfMessage(deps, messageId);
    if (tenantId === undefined) return undefined;
    return deps.db.withTenant(tenantId, async (tx) => {
      const facts = await readMessageFacts(tx, tenantId, messageId);
      return facts?.row.share ? { facts, number: await numberFor(tx, tenantId, facts.row.class, facts.row.drill) } : undefined;
    });
  });
}

/**
 * Reads the share page, with the message as it was within the last second.
 * @param locale the visitor's
 * @returns undefined where there is nothing to share
 */
export async function loadSharePage(deps: PageDeps, link: ShareLink, locale: string): Promise<SharePage | undefined> {
  const shared = await recentShared(deps, link.messageId);
  if (!shared) return undefined;
  const { facts, number } = shared;
  const message = messageFor(facts, locale, deps.clock.now());
  const timeZone = knownZone(facts.timeZone);
  if (message.late || (message.state !== 'live' && message.state !== 'completed')) return { message, timeZone, join: null };
  const sms = number === undefined ? null : { number, text: `JOIN ${joinCode(deps, link.messageId, link.recipientId)}` };
  return { message, timeZone, join: { sms } };
}

/** The number that this message leaves from, where people can text to it. The name of a Messaging Service is no number. */
async function numberFor(tx: Tx, tenantId: number, messageClass: MessageClass, drill: boolean): Promise<string | undefined> {
  const { rows } = await sql<{ address: string }>`
    SELECT address
    FROM senders
    WHERE tenant_id = ${tenantId}
      AND channel = 'sms'
      AND drill = ${drill}
      AND ${messageClass}::message_class = ANY (classes)
    ORDER BY id
    LIMIT 1`.execute(tx);
  return rows.find((row) => /^\+?\d{3,15}$/.test(row.address))?.address;
}
