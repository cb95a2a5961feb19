import { instantOfClock, knownZone } from '#domain/clock-time.ts';
import { findEta } from '#domain/inbound/eta-text.ts';
import type { AnswerWay } from '#schemas/delivery.ts';
import { recordAnswer } from './answer.ts';
import { type AnswerLink, type AnswerPage, answerPageOf, readReader } from './answer-page.ts';
import type { Deps } from '#services/context.ts';
import type { MessageFacts } from '#services/links/public-message.ts';
import { recentMessage } from '#services/links/recent-message.ts';

type PageDeps = Pick<Deps, 'db' | 'clock'>;

export interface PageAnswer {
  readonly key: string;
  readonly way: AnswerWay;
  /** Minutes or a time on the clock, as the person wrote it. */
  readonly eta: string;
  readonly note: string;
}

/**
 * Records what a person pressed on the page or on a notification. A time that cannot be read is kept as a note.
 *
 * It makes no read of its own: the message is the one shown within the last two seconds, and the write, which is shared with
 * the answers of others, tells whether the person may answer and in which language. Only for a time on the clock the
 * person's zone is read first.
 *
 * @returns the page that says what is recorded now; undefined for a message that is not launched or does not exist
 * @throws Problem as `AnswerWriter.answer` does
 */
export async function answerFromPage(deps: PageDeps, link: AnswerLink, given: PageAnswer): Promise<AnswerPage | undefined> {
  const facts = await recentMessage(deps, link.messageId);
  if (!facts) return undefined;
  const { etaAt, unread } = await readEta(deps, facts, link, given.eta.trim());
  const note = [unread, given.note.trim()].filter(Boolean).join('; ');
  const { standing, person } = await recordAnswer(deps, {
    tenantId: facts.tenantId,
    messageId: link.messageId,
    recipientId: link.recipientId,
    key: given.key,
    way: given.way,
    etaAt,
    note: note === '' ? undefined : note,
  });
  return answerPageOf(deps, facts, { ...person, recipientId: link.recipientId, erased: false, answer: standing });
}

interface ReadEta {
  readonly etaAt?: Date;
  /** What could not be read as a time. */
  readonly unread: string;
}

async function readEta(deps: PageDeps, facts: MessageFacts, link: AnswerLink, text: string): Promise<ReadEta> {
  if (text === '') return { unread: '' };
  const eta = findEta(text);
  const unread = eta.whole ? '' : text;
  const now = deps.clock.now();
  if (eta.etaMinutes !== undefined) return { etaAt: new Date(now + eta.etaMinutes * 60_000), unread };
  if (eta.etaClock === undefined) return { unread };
  const { timeZone } = await readReader(deps, facts.tenantId, link);
  return { etaAt: new Date(instantOfClock(eta.etaClock, now, knownZone(timeZone ?? facts.timeZone))), unread };
}
