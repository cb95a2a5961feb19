import type { Deps } from '#services/context.ts';
import { LoadCache } from '#services/load-cache.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';
import { type MessageFacts, readMessageFacts } from './public-message.ts';

/** How long a stop or a correction may take to show on the pages of a process that has just shown the message. */
const LIFETIME_MS = 2_000;
/** A thousand messages may have their links opened at the same time; the text of one takes a few kB. */
const KEPT = 1_000;

const caches = new WeakMap<object, LoadCache<MessageFacts>>();

/**
 * What everybody with a link to a message may see. It is at most two seconds old, so that a stop or a correction shows within
 * two seconds of its commit. Nothing of any person is kept here, so an erasure counts at once.
 *
 * @returns undefined for a message that is not launched or does not exist
 */
export async function recentMessage(deps: Pick<Deps, 'db' | 'clock'>, messageId: string): Promise<MessageFacts | undefined> {
  let cache = caches.get(deps.db);
  if (!cache) {
    cache = new LoadCache(KEPT, LIFETIME_MS);
    caches.set(deps.db, cache);
  }
  return cache.get(messageId, deps.clock.now(), async () => {
    const tenantId = await tenantOfMessage(deps, messageId);
    return tenantId === undefined ? undefined : deps.db.withTenant(tenantId, (tx) => readMessageFacts(tx, tenantId, messageId));
  });
}
