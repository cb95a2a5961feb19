import type { Tx } from '#db/database.ts';
import { isCountry } from '#domain/recipients/phone.ts';
import { Problem } from '#platform/errors.ts';

/**
 * The country of telephone numbers that are written without one.
 * @throws Problem 409 `bad_default_country` where the tenant's country has no telephone numbers
 */
export async function countryOf(tx: Tx, tenantId: number) {
  const tenant = await tx.selectFrom('tenants').select('default_country').where('tenant_id', '=', tenantId).executeTakeFirstOrThrow();
  if (!isCountry(tenant.default_country))
    throw new Problem(409, 'bad_default_country', `The tenant's default country ${tenant.default_country} has no telephone numbers.`);
  return tenant.default_country;
}
