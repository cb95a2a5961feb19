import type { Tx } from '#db/database.ts';
import { policyOf } from '#domain/message/policy.ts';
import { quietHoursOf } from '#domain/message/quiet-hours.ts';
import type { SettingsView } from '#schemas/settings.ts';
import { type Context, inTenant } from '#services/context.ts';

/** The organisation's settings, with the default of each rule of its policy that nobody has set. */
export const getSettings = (ctx: Context): Promise<SettingsView> => inTenant(ctx, (tx) => readSettings(tx, ctx.tenantId));

export async function readSettings(tx: Tx, tenantId: number): Promise<SettingsView> {
  const row = await tx
    .selectFrom('tenants')
    .select(['name', 'default_locale', 'default_country', 'time_zone', 'policy'])
    .where('tenant_id', '=', tenantId)
    .executeTakeFirstOrThrow();
  return {
    name: row.name,
    defaultLocale: row.default_locale,
    defaultCountry: row.default_country,
    timeZone: row.time_zone,
    quietHours: quietHoursOf(row.policy),
    ...policyOf(row.policy),
  };
}
