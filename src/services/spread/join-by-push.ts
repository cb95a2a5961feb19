import { assertAllowedEndpoint } from '#channels/push/endpoint.ts';
import type { PushSubscriptionInput } from '#schemas/recipient.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { assertKeys } from '#services/recipients/add-push-subscription.ts';
import type { Deps } from '#services/context.ts';
import { joinThroughShare } from './join.ts';
import type { ShareLink } from './share-page.ts';

/**
 * Lets the visitor's own browser join. The permission that the browser asked for is the confirmation.
 * @throws Problem 410 `closed`; 422 `push_endpoint_refused` or `bad_key`
 */
export async function joinByPush(
  deps: Deps,
  tenantId: number,
  link: ShareLink,
  given: { subscription: PushSubscriptionInput; consent: readonly MessageClass[]; locale: string },
): Promise<void> {
  assertAllowedEndpoint(given.subscription.endpoint, deps.config.pushHosts);
  assertKeys(given.subscription.keys);
  const joined = await deps.db.withTenant(tenantId, (tx) =>
    joinThroughShare(tx, deps, tenantId, {
      messageId: link.messageId,
      parentId: link.recipientId,
      by: { channel: 'push', subscription: given.subscription },
      consent: given.consent,
      locale: given.locale,
    }),
  );
  if (joined.waveId !== null) await deps.queue.nudge('plan', { tenantId, waveId: joined.waveId });
}
