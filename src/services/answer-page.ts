import type { Deps } from './context.ts';
import { knownZone } from '#domain/clock-time.ts';
import { type PublicMessage, readPublicMessage, tenantOfMessage } from './public-message.ts';

/** What one person sees behind the answer link. */
export interface AnswerPage {
  readonly message: PublicMessage;
  readonly recipientId: string;
  /** The reader's own wish, else the tenant's. */
  readonly locale: string;
  readonly timeZone: string;
  readonly erased: boolean;
  readonly answer: { readonly key: string; readonly at: Date; readonly firstAt: Date; readonly etaAt: Date | null; readonly note: string | null } | null;
}

/** Who a link speaks of. Undefined for anything that this installation did not seal. */
export function openLink(deps: Pick<Deps, 'tokens'>, purpose: 'answer' | 'share', token: string): { messageId: string; recipientId: string } | undefined {
  const sealed = deps.tokens.open(purpose, token);
  return sealed && sealed.extra === 0 ? { messageId: String(sealed.a), recipientId: String(sealed.b) } : undefined;
}

/** Reads everything for the answer page in one transaction; writes nothing. */
export async function loadAnswerPage(deps: Pick<Deps, 'db'>, link: { messageId: string; recipientId: string }): Promise<AnswerPage | undefined> {
  const tenantId = await tenantOfMessage(deps, link.messageId);
  if (tenantId === undefined) return undefined;
  return deps.db.withTenant(tenantId, async (tx) => {
    const person = await tx
      .selectFrom('recipients')
      .innerJoin('tenants', 'tenants.tenant_id', 'recipients.tenant_id')
      .leftJoin('answers', (join) => join.onRef('answers.recipient_id', '=', 'recipients.id').on('answers.message_id', '=', link.messageId))
      .select(['recipients.locale', 'recipients.time_zone', 'recipients.erased_at', 'tenants.default_locale'])
      .select(['answers.key', 'answers.answered_at', 'answers.first_at', 'answers.eta_at', 'answers.note'])
      .where('recipients.tenant_id', '=', tenantId)
      .where('recipients.id', '=', link.recipientId)
      .executeTakeFirst();
    const locale = person?.locale ?? person?.default_locale ?? 'en';
    const message = await readPublicMessage(tx, tenantId, link.messageId, locale);
    if (!message) return undefined;
    return {
      message,
      recipientId: link.recipientId,
      locale,
      timeZone: knownZone(person?.time_zone),
      // A row that is gone was erased: our own seal says that it once was there.
      erased: person === undefined || person.erased_at !== null,
      answer:
        person?.key && person.answered_at && person.first_at
          ? { key: person.key, at: person.answered_at, firstAt: person.first_at, etaAt: person.eta_at, note: person.note }
          : null,
    };
  });
}
