import { isCountry } from '#domain/recipients/phone.ts';
import { policyOf } from '#domain/message/policy.ts';
import { invalidField } from '#platform/errors.ts';
import type { SettingsChange, SettingsView } from '#schemas/settings.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import { readSettings } from './get-settings.ts';

/**
 * Changes the settings that are given. What is under way goes on with what it began with; quiet hours, for example, bind
 * messages planned from now on.
 * @throws Problem 403 `scope_missing` without `admin`; 422 `unknown_country` for a country without telephone numbers
 */
export async function changeSettings(ctx: Context, change: SettingsChange): Promise<SettingsView> {
  requireScope(ctx, 'admin');
  if (change.defaultCountry !== undefined && !isCountry(change.defaultCountry))
    throw invalidField('defaultCountry', 'unknown_country', `${change.defaultCountry} is no country with telephone numbers of its own.`);
  return inTenant(ctx, async (tx) => {
    const own = tx.selectFrom('tenants').select('policy').where('tenant_id', '=', ctx.tenantId);
    const tenant = await own.forUpdate().executeTakeFirstOrThrow();
    const approvalAbove = { ...policyOf(tenant.policy).approvalAbove, ...change.approvalAbove };
    const rules = {
      ...(change.quietHours === undefined ? {} : { quietHours: change.quietHours }),
      ...(change.approvalAbove === undefined ? {} : { approvalAbove }),
      ...(change.doubling === undefined ? {} : { doubling: change.doubling }),
      ...(change.hourlyCeiling === undefined ? {} : { hourlyCeiling: change.hourlyCeiling }),
      ...(change.asksPrograms === undefined ? {} : { asksPrograms: change.asksPrograms }),
      ...(change.says === undefined ? {} : { says: change.says }),
    };
    const set = {
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.defaultLocale === undefined ? {} : { default_locale: change.defaultLocale }),
      ...(change.defaultCountry === undefined ? {} : { default_country: change.defaultCountry }),
      ...(change.timeZone === undefined ? {} : { time_zone: change.timeZone }),
      // The policy holds other rules too, so only these parts of it are replaced.
      ...(Object.keys(rules).length === 0 ? {} : { policy: JSON.stringify({ ...tenant.policy, ...rules }) }),
    };
    if (Object.keys(set).length > 0) {
      await tx.updateTable('tenants').set(set).where('tenant_id', '=', ctx.tenantId).execute();
      await appendAudit(tx, ctx, 'tenant.change', String(ctx.tenantId), { ...change });
    }
    return readSettings(tx, ctx.tenantId);
  });
}
