import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { addToJoinWave } from '#db/audience/join-wave.ts';
import { lockRecipients } from '#db/recipient-sql.ts';
import { Problem } from '#platform/errors.ts';
import { type AddressFacts, addressFacts, type Channel } from '#schemas/channel-facts.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { PushSubscriptionInput } from '#schemas/recipient.ts';
import { type Deps, notifyProgress } from '#services/context.ts';
import { countSharer } from './sharer.ts';

export interface JoinInput {
  readonly messageId: string;
  /** The person whose share link it was. */
  readonly parentId: string;
  /** What the person proved to be their own: an address of the channel, or a browser's subscription. */
  readonly by: ProvedAddress;
  readonly consent: readonly MessageClass[];
  readonly locale: string | null;
}

type ProvedAddress = { readonly channel: Channel } & ({ readonly address: string } | { readonly subscription: PushSubscriptionInput });

export interface Joined {
  readonly recipientId: string;
  /** False where the address belonged to somebody already, so that nobody was added. */
  readonly created: boolean;
  /** The wave to nudge the planner for, after the commit. */
  readonly waveId: string | null;
}

export const shareClosed = (): Problem => new Problem(410, 'closed', 'This message is over: nobody can join through it any more.');

/**
 * Adds the person who has just confirmed for themselves, below the one who shared, and plans the message for them alone.
 * @throws Problem 410 `closed` where the message is over, stopped or not to be shared
 */
export async function joinThroughShare(tx: Tx, deps: Pick<Deps, 'tokens'>, tenantId: number, input: JoinInput): Promise<Joined> {
  // The locks are taken in the order of every other writer of people, and then joins of one message follow one another,
  // since they share a wave.
  await lockRecipients(tx, tenantId);
  await sql`SELECT pg_advisory_xact_lock(hashtextextended('join', ${input.messageId}::bigint))`.execute(tx);
  await assertOpen(tx, tenantId, input.messageId);
  const known = await findRecipient(tx, tenantId, input.by);
  if (known !== undefined) return { recipientId: known, created: false, waveId: null };
  const generation = (await generationOf(tx, input.messageId, input.parentId)) + 1;
  const recipientId = await addRecipient(tx, deps, tenantId, input, generation);
  await tx
    .insertInto('joins')
    .values({
      ...{ tenant_id: tenantId, message_id: input.messageId, recipient_id: recipientId },
      ...{ parent_id: input.parentId, generation, channel: input.by.channel },
    })
    .execute();
  await countSharer(tx, tenantId, { messageId: input.messageId, parentId: input.parentId, generation: generation - 1 }, 'join');
  const waveId = await addToJoinWave(tx, tenantId, input.messageId, input.by.channel, recipientId);
  await notifyProgress(tx, tenantId, input.messageId);
  return { recipientId, created: true, waveId };
}

async function assertOpen(tx: Tx, tenantId: number, messageId: string): Promise<void> {
  const { rows } = await sql<{ open: boolean }>`
    SELECT m.share AND m.state IN ('live', 'completed') AND COALESCE(m.expires_at > now(), true) AS open
    FROM messages m
    WHERE m.tenant_id = ${tenantId}
      AND m.id = ${messageId}`.execute(tx);
  if (rows[0]?.open !== true) throw shareClosed();
}

/** How many steps a person is away from the first broadcast; 0 for its own people. */
export async function generationOf(tx: Tx, messageId: string, recipientId: string): Promise<number> {
  const ofMessage = tx.selectFrom('joins').select('generation').where('message_id', '=', messageId);
  const row = await ofMessage.where('recipient_id', '=', recipientId).executeTakeFirst();
  return row?.generation ?? 0;
}

async function findRecipient(tx: Tx, tenantId: number, by: JoinInput['by']): Promise<string | undefined> {
  if ('subscription' in by) {
    const row = await tx
      .selectFrom('push_subscriptions')
      .select('recipient_id')
      .where('tenant_id', '=', tenantId)
      .where('endpoint', '=', by.subscription.endpoint)
      .executeTakeFirst();
    return row?.recipient_id;
  }
  const row = await tx
    .selectFrom('recipients')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where(columnOf(by.channel), '=', by.address)
    .limit(1)
    .executeTakeFirst();
  return row?.id;
}

/** @throws Error for a channel whose people have no address of their own there */
function columnOf(channel: Channel): NonNullable<AddressFacts['column']> {
  const { column } = addressFacts(channel);
  if (column === null) throw new Error(`${channel} has no column of addresses`);
  return column;
}

async function addRecipient(tx: Tx, deps: Pick<Deps, 'tokens'>, tenantId: number, input: JoinInput, generation: number): Promise<string> {
  const { by } = input;
  const person = await tx
    .insertInto('recipients')
    .values({
      tenant_id: tenantId,
      ...('subscription' in by ? {} : { [columnOf(by.channel)]: by.address }),
      locale: input.locale,
      consent: sql`${[...input.consent]}::message_class[]`,
      push_count: 'subscription' in by ? 1 : 0,
      parent_id: input.parentId,
      generation,
      origin: 'share',
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  if ('subscription' in by) {
    const { endpoint, keys } = by.subscription;
    await tx
      .insertInto('push_subscriptions')
      .values({ tenant_id: tenantId, recipient_id: person.id, endpoint, p256dh: keys.p256dh, auth: keys.auth })
      .execute();
  } else {
    // Somebody who was erased and now comes of their own accord is welcome, also in later imports.
    const hashes = deps.tokens.macs('erasure', by.address);
    await tx.deleteFrom('erasures').where('tenant_id', '=', tenantId).where('address_hash', 'in', hashes).execute();
  }
  return person.id;
}
