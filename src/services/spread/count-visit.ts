import { type Deps, notifyProgress } from '#services/context.ts';
import { generationOf } from './join.ts';
import type { ShareLink } from './share-page.ts';
import { countSharer } from './sharer.ts';

/** Robots name themselves with one of these words. It only keeps a report honest; nothing is decided by it. */
const ROBOT = /bot\b|crawl|spider|preview|slurp|facebookexternalhit|whatsapp|telegram|headless|python|curl|wget|okhttp|monitor|scan/i;

/**
 * Recognises the same browser on the same day (UTC), by the first 16 bytes of a MAC. Tomorrow the same browser is another
 * visitor, so that nobody can be followed.
 */
export function visitorOf(deps: Pick<Deps, 'tokens' | 'clock'>, ip: string, userAgent: string): { day: string; visitor: Buffer } {
  const day = new Date(deps.clock.now()).toISOString().slice(0, 10);
  return { day, visitor: deps.tokens.mac('visitor', `${day} ${ip} ${userAgent}`).subarray(0, 16) };
}

/**
 * Counts a person who has looked at a share page for a second, once a link, visitor and day.
 * @returns whether the visit was counted now
 */
export async function countVisit(deps: Deps, tenantId: number, link: ShareLink, from: { ip: string; userAgent: string }): Promise<boolean> {
  if (from.userAgent === '' || ROBOT.test(from.userAgent)) return false;
  const { day, visitor } = visitorOf(deps, from.ip, from.userAgent);
  return deps.db.withTenant(tenantId, async (tx) => {
    const fresh = await tx
      .insertInto('share_visits')
      .values({ tenant_id: tenantId, message_id: link.messageId, parent_id: link.recipientId, day, visitor })
      .onConflict((c) => c.doNothing())
      .returning('day')
      .executeTakeFirst();
    if (!fresh) return false;
    const generation = await generationOf(tx, link.messageId, link.recipientId);
    await countSharer(tx, tenantId, { messageId: link.messageId, parentId: link.recipientId, generation }, 'visit');
    await notifyProgress(tx, tenantId, link.messageId);
    return true;
  });
}
