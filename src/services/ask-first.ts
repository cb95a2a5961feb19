import type { Condition } from '#db/audience-sql.ts';
import type { Tx } from '#db/database.ts';
import { findRepeatedText } from '#db/repeated-text.ts';
import { policyOf } from '#domain/policy.ts';
import { conflict } from '#platform/errors.ts';
import type { Question } from '#schemas/message.ts';
import type { Context } from './context.ts';
import type { MessageRow } from './message-row.ts';

interface Asking {
  readonly condition: Condition;
  /** Milliseconds. */
  readonly startsAt: number;
  /** What the caller has been asked and means all the same. */
  readonly acknowledged: readonly Question[];
}

/**
 * Asks back before a launch that looks like a slip: the same text to some of the same people within ten minutes. Repeated
 * with the question's code in `acknowledge` it is launched. Programs are asked only where the organisation wants them to
 * be; schedules never, since a person decided.
 *
 * @throws Problem 409 with the code of the question
 */
export async function askFirst(tx: Tx, ctx: Context, row: MessageRow, { condition, startsAt, acknowledged }: Asking): Promise<void> {
  if (acknowledged.includes('repeated_text') || !(await isAsked(tx, ctx))) return;
  const repeated = await findRepeatedText(tx, {
    tenantId: ctx.tenantId,
    messageId: row.id,
    drill: row.drill,
    texts: Object.values(row.text),
    condition,
    startsAt,
    decodeId: (id) => ctx.ids.decode('rcp', id),
  });
  if (!repeated) return;
  throw conflict(
    'repeated_text',
    'The same text went, or goes, to some of these people within ten minutes. If it is meant, launch it again and acknowledge "repeated_text".',
    {
      messageId: ctx.ids.encode('msg', repeated.id),
      at: repeated.at.toISOString(),
    },
  );
}

async function isAsked(tx: Tx, ctx: Context): Promise<boolean> {
  if (ctx.actor.asked !== 'by_policy') return ctx.actor.asked === 'always';
  const tenant = await tx.selectFrom('tenants').select('policy').where('tenant_id', '=', ctx.tenantId).executeTakeFirstOrThrow();
  return policyOf(tenant.policy).asksPrograms;
}
