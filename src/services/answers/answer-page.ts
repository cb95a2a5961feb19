import type { Deps } from '#services/context.ts';
import { knownZone } from '#domain/clock-time.ts';
import { type MessageFacts, messageFor, type PublicMessage } from '#services/links/public-message.ts';
import { recentMessage } from '#services/links/recent-message.ts';

/** What one person sees behind the answer link. */
export interface AnswerPage {
  readonly message: PublicMessage;
  readonly recipientId: string;
  /** The reader's own locale, else the tenant's. */
  readonly locale: string;
  readonly timeZone: string;
  readonly erased: boolean;
  readonly answer: StandingAnswer | null;
}

export interface StandingAnswer {
  readonly key: string;
  readonly at: Date;
  readonly firstAt: Date;
  readonly etaAt: Date | null;
  readonly note: string | null;
}

/** The person who opens the link. They are never kept in memory, so that an erasure counts at once. */
export interface Reader {
  readonly recipientId: string;
  readonly locale: string | null;
  readonly timeZone: string | null;
  readonly erased: boolean;
  readonly answer: StandingAnswer | null;
}

export interface AnswerLink {
  readonly messageId: string;
  readonly recipientId: string;
}

/**
 * Reads the message and the person of a link.
 * @returns undefined for anything that this installation did not seal
 */
export function openLink(deps: Pick<Deps, 'tokens'>, purpose: 'answer' | 'share', token: string): AnswerLink | undefined {
  const sealed = deps.tokens.open(purpose, token);
  return sealed && sealed.extra === 0 ? { messageId: String(sealed.a), recipientId: String(sealed.b) } : undefined;
}

/**
 * Reads the answer page: the message as it was within the last two seconds, the person as of now. It writes nothing.
 * @returns undefined for a message that is not launched or does not exist
 */
export async function loadAnswerPage(deps: Pick<Deps, 'db' | 'clock'>, link: AnswerLink): Promise<AnswerPage | undefined> {
  const facts = await recentMessage(deps, link.messageId);
  return facts && answerPageOf(deps, facts, await readReader(deps, facts.tenantId, link));
}

/** Reads the person and their answer in force, in one statement. */
export async function readReader(deps: Pick<Deps, 'db'>, tenantId: number, link: AnswerLink): Promise<Reader> {
  const person = await deps.db.withTenant(tenantId, (tx) =>
    tx
      .selectFrom('recipients')
      .leftJoin('answers', (join) => join.onRef('answers.recipient_id', '=', 'recipients.id').on('answers.message_id', '=', link.messageId))
      .select(['recipients.locale', 'recipients.time_zone', 'recipients.erased_at'])
      .select(['answers.key', 'answers.answered_at', 'answers.first_at', 'answers.eta_at', 'answers.note'])
      .where('recipients.tenant_id', '=', tenantId)
      .where('recipients.id', '=', link.recipientId)
      .executeTakeFirst(),
  );
  return {
    recipientId: link.recipientId,
    locale: person?.locale ?? null,
    timeZone: person?.time_zone ?? null,
    // A row that is gone was erased, since our own seal says that it once was there.
    erased: person === undefined || person.erased_at !== null,
    answer:
      person?.key && person.answered_at && person.first_at
        ? { key: person.key, at: person.answered_at, firstAt: person.first_at, etaAt: person.eta_at, note: person.note }
        : null,
  };
}

/** Puts a page together from what is known of the message and of the person. */
export function answerPageOf(deps: Pick<Deps, 'clock'>, facts: MessageFacts, reader: Reader): AnswerPage {
  const locale = reader.locale ?? facts.defaultLocale;
  return {
    message: messageFor(facts, locale, deps.clock.now()),
    recipientId: reader.recipientId,
    locale,
    timeZone: knownZone(reader.timeZone ?? facts.timeZone),
    erased: reader.erased,
    answer: reader.answer,
  };
}
