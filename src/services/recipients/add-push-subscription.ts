import { ECDH } from 'node:crypto';
import { sql } from 'kysely';
import { assertAllowedEndpoint } from '#channels/push/endpoint.ts';
import { invalidField } from '#platform/errors.ts';
import type { PushSubscriptionInput } from '#schemas/recipient.ts';
import { type Context, inTenant } from '#services/context.ts';
import { loadRecipient } from './recipient-view.ts';

/** A person has a few browsers. More come from a loop somewhere, and each costs an encryption a message, so the oldest go. */
const MAX_PER_PERSON = 20;

interface PushView {
  /** How many subscriptions the person has now, 20 at most. */
  readonly pushSubscriptions: number;
}

/**
 * Keeps a browser's push subscription for a person. A browser that was another person's before (a shared computer) moves.
 * @throws Problem 404; 410 `erased`; 422 `push_endpoint_refused` or `bad_key` naming the field
 */
export async function addPushSubscription(ctx: Context, publicId: string, input: PushSubscriptionInput): Promise<PushView> {
  assertAllowedEndpoint(input.endpoint, ctx.config.pushHosts);
  assertKeys(input.keys);
  const { tenantId } = ctx;
  return inTenant(ctx, async (tx) => {
    // The lock is on the endpoint, so that two requests for one endpoint queue here, whichever people they name.
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${input.endpoint}, ${tenantId}))`.execute(tx);
    const before = await tx
      .selectFrom('push_subscriptions')
      .select('recipient_id')
      .where('tenant_id', '=', tenantId)
      .where('endpoint', '=', input.endpoint)
      .executeTakeFirst();
    const person = await loadRecipient(tx, ctx, publicId, true);
    await tx
      .insertInto('push_subscriptions')
      .values({ tenant_id: tenantId, recipient_id: person.id, endpoint: input.endpoint, ...input.keys })
      .onConflict((c) => c.columns(['tenant_id', 'endpoint']).doUpdateSet({ recipient_id: person.id, ...input.keys }))
      .execute();
    await sql`
      DELETE FROM push_subscriptions
      WHERE tenant_id = ${tenantId}
        AND id IN (
          SELECT id
          FROM push_subscriptions
          WHERE tenant_id = ${tenantId}
            AND recipient_id = ${person.id}
          ORDER BY id DESC
          OFFSET ${MAX_PER_PERSON}
        )`.execute(tx);
    const affected = [...new Set([person.id, before?.recipient_id ?? person.id])];
    await sql`
      UPDATE recipients r
      SET push_count = (
          SELECT count(*)
          FROM push_subscriptions s
          WHERE s.tenant_id = r.tenant_id
            AND s.recipient_id = r.id
        )
      WHERE r.tenant_id = ${tenantId}
        AND r.id = ANY(${affected}::bigint[])`.execute(tx);
    const { push_count } = await loadRecipient(tx, ctx, publicId);
    const view = { pushSubscriptions: push_count };
    await ctx.idempotency?.complete(tx, 201, view);
    return view;
  });
}

/**
 * A key is an uncompressed point of P-256 (65 bytes), with 16 bytes of authentication secret (RFC 8291 section 2).
 * @throws Problem 422 `bad_key` that names the field
 */
export function assertKeys(keys: PushSubscriptionInput['keys']): void {
  const point = Buffer.from(keys.p256dh, 'base64url');
  if (Buffer.from(keys.auth, 'base64url').length !== 16) throw invalidField('keys.auth', 'bad_key', 'must be 16 bytes in URL-safe base64');
  try {
    if (point.length === 65 && point[0] === 4) {
      ECDH.convertKey(point, 'prime256v1');
      return;
    }
  } catch {
    // A point that is not on the curve is refused below, as a short one is.
  }
  throw invalidField('keys.p256dh', 'bad_key', 'must be an uncompressed point of P-256 (65 bytes) in URL-safe base64');
}
