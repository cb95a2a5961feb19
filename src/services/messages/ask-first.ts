import type { Condition } from '#db/audience/audience-sql.ts';
import type { Tx } from '#db/database.ts';
import { findRepeatedText } from '#db/audience/repeated-text.ts';
import { policyOf } from '#domain/message/policy.ts';
import { conflict } from '#platform/errors.ts';
import type { Question } from '#schemas/message.ts';
import type { Context } from '#services/context.ts';
import type { LaunchFacts } from '#services/organisations/launch-facts.ts';
import type { MessageRow } from '#services/message-row.ts';
import { openImport } from '#services/imports/open-import.ts';

interface Asking {
  readonly tenant: Pick<LaunchFacts, 'policy'>;
  readonly condition: Condition;
  /** When the first people are called, in milliseconds. */
  readonly startsAt: number;
  /** Questions that the caller has been asked and means all the same. */
  readonly acknowledged: readonly Question[];
}

/**
 * Asks back before a launch that looks like a slip: rows of an import were not taken and nobody has seen it, or the same text
 * went to some of the same people within ten minutes. The launch goes through when it is repeated with the question's code in
 * `acknowledge`. Programs are asked only where the organisation wants it; schedules never are, since a person decided.
 *
 * @throws Problem 409 with the code of the question
 */
export async function askFirst(tx: Tx, ctx: Context, row: MessageRow, asking: Asking): Promise<void> {
  if (!isAsked(ctx, asking.tenant)) return;
  if (!asking.acknowledged.includes('rejected_rows')) await askRejected(tx, ctx, row);
  if (!asking.acknowledged.includes('repeated_text')) await askRepeated(tx, ctx, row, asking);
}

/** Asks an approver the question about rejected rows, which they can answer as well as the author. */
export async function askApprover(tx: Tx, ctx: Context, row: MessageRow, acknowledged: readonly Question[]): Promise<void> {
  if (acknowledged.includes('rejected_rows')) return;
  const tenant = await tx.selectFrom('tenants').select('policy').where('tenant_id', '=', ctx.tenantId).executeTakeFirstOrThrow();
  if (isAsked(ctx, tenant)) await askRejected(tx, ctx, row);
}

/**
 * Whether rejected rows matter to a draft: an exercise misses nobody by them. What a draft is called does not matter. Only
 * \`correctMessage\` makes a message that goes to those who may have had another one, and that is no draft at any time.
 */
export const mayMissRows = (message: { drill: boolean }): boolean => !message.drill;

async function askRejected(tx: Tx, ctx: Context, row: MessageRow): Promise<void> {
  const open = mayMissRows(row) ? await openImport(tx, ctx) : undefined;
  if (!open) return;
  const { id: importId, finishedAt: at, rejected, others } = open;
  const what = `${rejected === 1 ? 'One row' : `${rejected} rows`} of the import ${importId} (${at.slice(0, 16).replace('T', ' ')} UTC)`;
  const more = others === 0 ? '' : `, and rows of ${others} more,`;
  throw conflict(
    'rejected_rows',
    `${what}${more} were not taken, so this message may miss people. ` +
      `Acknowledge it (POST /v1/imports/${importId}/acknowledge), or repeat this and acknowledge "rejected_rows".`,
    { importId, at, rejected, others },
  );
}

async function askRepeated(tx: Tx, ctx: Context, row: MessageRow, { condition, startsAt }: Asking): Promise<void> {
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
    'The same text went, or goes, to some of these people within ten minutes. ' +
      'If it is meant, launch it again and acknowledge "repeated_text".',
    {
      messageId: ctx.ids.encode('msg', repeated.id),
      at: repeated.at.toISOString(),
    },
  );
}

const isAsked = (ctx: Context, tenant: Pick<LaunchFacts, 'policy'>): boolean =>
  ctx.actor.asked === 'by_policy' ? policyOf(tenant.policy).asksPrograms : ctx.actor.asked === 'always';
