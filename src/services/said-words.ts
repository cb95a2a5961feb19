import type { Tx } from '#db/database.ts';
import { policyOf } from '#domain/policy.ts';
import { missingWords, saidOf, saysOf } from '#domain/says.ts';
import { Problem } from '#platform/errors.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Said, Says } from '#schemas/says.ts';
import type { MessageRow } from './message-row.ts';

interface Saying {
  readonly class: MessageClass;
  readonly text: Readonly<Record<string, string>>;
  readonly says?: Says | undefined;
}

/** Words of one message. Those of the organisation are added to a life message alone: the others need not say them. */
export async function saidWords(tx: Tx, tenantId: number, { class: klass, text, says = {} }: Saying): Promise<Said | null> {
  const locales = Object.keys(text);
  if (klass !== 'life') return saidOf(locales, says, {});
  const tenant = await tx.selectFrom('tenants').select(['name', 'policy']).where('tenant_id', '=', tenantId).executeTakeFirstOrThrow();
  return saidOf(locales, says, standingWords(tenant));
}

/** Without an issuer of its own an organisation issues under its name. */
export const standingWords = (tenant: { readonly name: string; readonly policy: Record<string, unknown> }): Says => ({
  issuer: tenant.name,
  ...policyOf(tenant.policy).says,
});

/**
 * What a draft is launched with. One that came from an alert may have been kept without; the organisation's words may have
 * come since.
 * @throws Problem 422 naming all that is missing
 */
export async function launchWords(tx: Tx, row: MessageRow): Promise<Said | null> {
  if (row.class !== 'life' || row.says_all) return row.said;
  const said = await saidWords(tx, row.tenant_id, { class: row.class, text: row.text, says: saysOf(row.said) });
  const errors = missingWords(Object.keys(row.text), said);
  if (errors.length > 0) throw new Problem(422, 'invalid_message', errors.map((error) => `${error.field}: ${error.detail}`).join('; '), { errors });
  return said;
}
