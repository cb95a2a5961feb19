import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { suppress } from '#db/suppress.ts';
import type { InboundText } from '#domain/delivery/hook.ts';
import { inboundWords } from '#domain/inbound/inbound-words.ts';
import { Problem } from '#platform/errors.ts';
import { addressFacts, type Channel, factsOf, TEXT_WAYS } from '#schemas/channel-facts.ts';
import { recordAnswer } from '#services/answers/answer.ts';
import { type Deps, notifyProgress } from '#services/context.ts';
import { decideInbound, type InboundDecision, replyAfterEnd } from './inbound-decision.ts';
import { type Correspondence, findSenders, type InboundFacts, readFacts, repliedLately } from './inbound-facts.ts';
import { joinThroughShare } from '#services/spread/join.ts';
import { openJoinCode } from '#services/spread/join-code.ts';

/**
 * Reads one inbound text and acts: an answer, a reserved word, a join, or a case for a human. Nothing is dropped: every
 * text leaves a row, unless the number it came to is nobody's.
 *
 * @returns what to text back; '' for nothing
 */
export async function receiveInboundText(deps: Deps, channel: Channel, given: InboundText): Promise<string> {
  const owner = await findSenders(deps, channel, given.to);
  if (!owner) {
    deps.log.warn({ code: 'inbound_to_nobody' }, 'a text came to a number that no tenant has');
    return '';
  }
  const from = addressFacts(channel).lowerCase ? given.from.toLowerCase() : given.from;
  const text = { ...given, from, body: given.body.replace(/(?![\n\t])\p{Cc}/gu, ' ').slice(0, 4_000) };
  const { tenantId, senderIds } = owner;
  const correspondence = { tenantId, channel, senderIds, from };
  const known = await deps.db.withTenant(tenantId, async (tx) => ({
    reply: await replyTo(tx, tenantId, text.id),
    facts: await readFacts(tx, correspondence),
  }));
  if (known.reply !== undefined) return known.reply;
  const { facts } = known;
  const decision = await withAnswer(deps, correspondence, facts, text.id, decideInbound(facts, text, deps.clock.now()));
  const nudges: string[] = [];
  const reply = await deps.db.withTenant(tenantId, (tx) => settle(tx, deps, { ...correspondence, facts, text, decision, nudges }));
  for (const waveId of nudges) await deps.queue.nudge('plan', { tenantId, waveId });
  return reply;
}

/** What we answered to this text before; undefined where it is new. */
async function replyTo(tx: Tx, tenantId: number, id: string): Promise<string | undefined> {
  const texts = tx.selectFrom('inbound_texts').select('reply').where('tenant_id', '=', tenantId);
  const row = await texts.where('provider_id', '=', id).executeTakeFirst();
  return row?.reply;
}

/** Records the answer, which is committed with the others of its group before the text is. A crash between the two repeats harmlessly. */
async function withAnswer(
  deps: Deps,
  { tenantId, channel }: Correspondence,
  facts: InboundFacts,
  dedupKey: string,
  decision: InboundDecision,
): Promise<InboundDecision> {
  if (!decision.answer || !facts.message || !facts.person) return decision;
  try {
    const way = TEXT_WAYS.find((one) => one === channel) ?? 'page';
    await recordAnswer(deps, { tenantId, messageId: facts.message.id, recipientId: facts.person.id, way, dedupKey, ...decision.answer });
    return decision;
  } catch (error) {
    // It ended, or its answers changed, between reading and writing, so a human looks at the text.
    if (error instanceof Problem)
      return { ...decision, outcome: 'late', needsHuman: true, reply: replyAfterEnd(facts, facts.message, 'lateUnread'), answer: null };
    throw error;
  }
}

interface Settling extends Correspondence {
  facts: InboundFacts;
  text: InboundText;
  decision: InboundDecision;
  /** Waves to nudge after the commit. */
  nudges: string[];
}

/** Writes the effects and the row in one transaction. */
async function settle(tx: Tx, deps: Deps, settling: Settling): Promise<string> {
  const { tenantId, channel, senderIds, facts, text, decision, nudges } = settling;
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${text.id}, ${tenantId}))`.execute(tx);
  const before = await replyTo(tx, tenantId, text.id);
  if (before !== undefined) return before;
  let { reply, needsHuman } = decision;
  const { outcome } = decision;
  if ((outcome === 'unclear' || outcome === 'late') && reply !== '' && (await repliedLately(tx, tenantId, text.from, outcome))) reply = '';
  // A stop word is obeyed at once, for every sender that uses this number.
  if (decision.outcome === 'stop')
    await suppress(
      tx,
      tenantId,
      senderIds.map((senderId) => ({ senderId, address: text.from, reason: 'opted_out', source: channel })),
    );
  if (decision.outcome === 'start')
    await tx
      .deleteFrom('suppressions')
      .where('tenant_id', '=', tenantId)
      .where('sender_id', 'in', [...senderIds])
      .where('address', '=', text.from)
      .where('reason', '=', 'opted_out')
      .execute();
  let recipientId = facts.person?.id ?? null;
  let messageId = facts.message?.id ?? null;
  if (decision.joinCode !== null) {
    const joined = await join(tx, deps, settling, decision.joinCode);
    ({ reply } = joined);
    needsHuman = joined.needsHuman;
    recipientId = joined.recipientId ?? recipientId;
    messageId = joined.messageId ?? messageId;
    if (joined.waveId !== null) nudges.push(joined.waveId);
  }
  await tx
    .insertInto('inbound_texts')
    .values({
      tenant_id: tenantId,
      provider_id: text.id,
      sender_id: senderIds[0] ?? 0,
      from_address: text.from,
      recipient_id: recipientId,
      message_id: messageId,
      body: text.body,
      reply,
      outcome: decision.outcome,
      needs_human: needsHuman,
    })
    .execute();
  if (needsHuman && messageId !== null) await notifyProgress(tx, tenantId, messageId);
  return reply;
}

interface JoinOutcome {
  reply: string;
  needsHuman: boolean;
  recipientId: string | null;
  messageId: string | null;
  waveId: string | null;
}

/** Lets the person join. The text itself proves that the number is their own, so no further confirmation is needed. */
async function join(tx: Tx, deps: Deps, { tenantId, channel, facts, from }: Settling, code: string): Promise<JoinOutcome> {
  const words = inboundWords(facts.locale);
  const none = { recipientId: null, messageId: null, waveId: null };
  const share = openJoinCode(deps, code);
  const messages = tx.selectFrom('messages').select('class').where('tenant_id', '=', tenantId);
  const message = share && (await messages.where('id', '=', share.messageId).executeTakeFirst());
  if (!share || !message || !factsOf(channel).joins) return { ...none, reply: '', needsHuman: true };
  if (facts.stopped) return { ...none, reply: words.joinStopped, needsHuman: false, messageId: share.messageId };
  try {
    const by = { channel, address: from };
    const joined = await joinThroughShare(tx, deps, tenantId, { ...share, by, consent: [message.class], locale: null });
    const { recipientId, waveId } = joined;
    return { reply: words.joined(facts.tenantName), needsHuman: false, recipientId, messageId: share.messageId, waveId };
  } catch (error) {
    if (error instanceof Problem) return { ...none, reply: words.joinClosed, needsHuman: false, messageId: share.messageId };
    throw error;
  }
}
