import type { Tx } from '#db/database.ts';
import { policyOf } from '#domain/message/policy.ts';
import { missingWording, wordingOf, wordingAsGiven } from '#domain/message/wording.ts';
import { Problem } from '#platform/errors.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Wording, WordingInput } from '#schemas/wording.ts';
import type { LaunchFacts } from '#services/organisations/launch-facts.ts';
import type { MessageRow } from '#services/message-row.ts';

/** An organisation, as far as its words go. */
type Speaker = Pick<LaunchFacts, 'name' | 'policy'>;

interface Saying {
  readonly class: MessageClass;
  readonly text: Readonly<Record<string, string>>;
  readonly says?: WordingInput | undefined;
}

/** Words of one message. Those of the organisation are added to a life message alone: the others need not say them. */
export async function loadWording(tx: Tx, tenantId: number, saying: Saying): Promise<Wording | null> {
  return wordingBy(saying.class === 'life' ? await tenantOf(tx, tenantId) : NOBODY, saying);
}

/** The same of an organisation that is known. */
export const wordingBy = (tenant: Speaker, { class: messageClass, text, says = {} }: Saying): Wording | null =>
  wordingOf(Object.keys(text), says, messageClass === 'life' ? standingWording(tenant) : {});

const tenantOf = (tx: Tx, tenantId: number): Promise<Speaker> =>
  tx.selectFrom('tenants').select(['name', 'policy']).where('tenant_id', '=', tenantId).executeTakeFirstOrThrow();

/** Asked of nothing. */
const NOBODY: Speaker = { name: '', policy: {} };

/** Without an issuer of its own an organisation issues under its name. */
export const standingWording = (tenant: Speaker): WordingInput => ({
  issuer: tenant.name,
  ...policyOf(tenant.policy).says,
});

/**
 * What a draft is launched with. One that came from an alert may have been kept without; the organisation's words may have
 * come since.
 * @throws Problem 422 naming all that is missing
 */
export async function launchWording(tx: Tx, row: MessageRow, known?: Speaker): Promise<Wording | null> {
  if (row.class !== 'life' || row.says_all) return row.said;
  const said = wordingBy(known ?? (await tenantOf(tx, row.tenant_id)), { class: row.class, text: row.text, says: wordingAsGiven(row.said) });
  const errors = missingWording(Object.keys(row.text), said);
  if (errors.length > 0) throw new Problem(422, 'invalid_message', errors.map((error) => `${error.field}: ${error.detail}`).join('; '), { errors });
  return said;
}
