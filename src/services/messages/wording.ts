import type { Tx } from '#db/database.ts';
import { policyOf } from '#domain/message/policy.ts';
import { missingWording, wordingOf, wordingAsGiven } from '#domain/message/wording.ts';
import { invalidFields } from '#platform/errors.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Wording, WordingInput } from '#schemas/wording.ts';
import type { LaunchFacts } from '#services/organisations/launch-facts.ts';
import type { MessageRow } from '#services/message-row.ts';

/** An organisation, as far as its wording goes. */
type Speaker = Pick<LaunchFacts, 'name' | 'policy'>;

interface Saying {
  readonly class: MessageClass;
  readonly text: Readonly<Record<string, string>>;
  readonly says?: WordingInput | undefined;
}

/** The wording of one message. That of the organisation is added to a life message alone: the others need not say it. */
export async function loadWording(tx: Tx, tenantId: number, saying: Saying): Promise<Wording | null> {
  return wordingBy(saying.class === 'life' ? await tenantOf(tx, tenantId) : NOBODY, saying);
}

/** The same, where the caller has read the organisation. */
export const wordingBy = (tenant: Speaker, { class: messageClass, text, says = {} }: Saying): Wording | null =>
  wordingOf(Object.keys(text), says, messageClass === 'life' ? standingWording(tenant) : {});

const tenantOf = (tx: Tx, tenantId: number): Promise<Speaker> =>
  tx.selectFrom('tenants').select(['name', 'policy']).where('tenant_id', '=', tenantId).executeTakeFirstOrThrow();

/** Stands for an organisation whose wording is not needed. */
const NOBODY: Speaker = { name: '', policy: {} };

/** What an organisation says in every life message. Without an issuer of its own it issues under its name. */
export const standingWording = (tenant: Speaker): WordingInput => ({
  issuer: tenant.name,
  ...policyOf(tenant.policy).says,
});

/**
 * The wording that a draft is launched with. A draft that came from an alert may have been kept without it, and the
 * organisation's own wording may have come since.
 * @throws Problem 422 naming all that is missing
 */
export async function launchWording(tx: Tx, row: MessageRow, known?: Speaker): Promise<Wording | null> {
  if (row.class !== 'life' || row.says_all) return row.said;
  const said = wordingBy(known ?? (await tenantOf(tx, row.tenant_id)), {
    class: row.class,
    text: row.text,
    says: wordingAsGiven(row.said),
  });
  const errors = missingWording(Object.keys(row.text), said);
  if (errors.length > 0) throw invalidFields('invalid_message', errors);
  return said;
}
