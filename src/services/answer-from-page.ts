import { instantOfClock } from '#domain/clock-time.ts';
import { findEta } from '#domain/eta-text.ts';
import { type AnswerResult, recordAnswer } from './answer.ts';
import type { AnswerPage } from './answer-page.ts';
import type { Deps } from './context.ts';

export interface PageAnswer {
  readonly key: string;
  readonly way: 'page' | 'push';
  /** Minutes or a time on the clock, as the person wrote it. */
  readonly eta: string;
  readonly note: string;
}

/** Records what a person pressed on the page or on a notification. A time that cannot be read is kept as a note. */
export function answerFromPage(deps: Pick<Deps, 'db' | 'clock'>, page: AnswerPage, given: PageAnswer): Promise<AnswerResult> {
  const eta = given.eta.trim() === '' ? undefined : findEta(given.eta.trim());
  const now = deps.clock.now();
  const at =
    eta?.etaMinutes !== undefined ? now + eta.etaMinutes * 60_000 : eta?.etaClock !== undefined ? instantOfClock(eta.etaClock, now, page.timeZone) : undefined;
  const unread = eta && !eta.whole ? given.eta.trim() : '';
  const note = [unread, given.note.trim()].filter(Boolean).join('; ');
  return recordAnswer(deps, {
    tenantId: page.message.tenantId,
    messageId: page.message.messageId,
    recipientId: page.recipientId,
    key: given.key,
    way: given.way,
    etaAt: at === undefined ? undefined : new Date(at),
    note: note === '' ? undefined : note,
  });
}
