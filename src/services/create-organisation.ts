import { readRecipient } from '#domain/recipient-fields.ts';
import { isCountry } from '#domain/phone.ts';
import { type FieldError, Problem } from '#platform/errors.ts';
import { settingsChangeSchema } from '#schemas/settings.ts';
import type { Deps } from './context.ts';
import { createTenant, type MadeTenant } from './create-tenant.ts';
import { listOrganisations } from './list-organisations.ts';

/** NIST SP 800-63B-4 section 3.1.1.2: a password that is the only factor has at least 15 characters. */
const PASSWORD_MIN = 15;
const PASSWORD_MAX = 256;

export interface NewOrganisation {
  readonly name: string;
  readonly admin: { readonly email: string; readonly name: string; readonly password: string };
  /** IANA; undefined: UTC until somebody says. */
  readonly timeZone?: string | undefined;
  readonly locale?: string | undefined;
  /** ISO 3166-1. */
  readonly country?: string | undefined;
  /** Its administrator may stop and release the whole installation. */
  readonly operator: boolean;
}

/**
 * Makes an organisation of a real installation: the rules of sending are those a new organisation begins with, its key is
 * live, and it has no senders yet.
 * @throws Problem 422 that names every wrong field: `name`, `adminEmail`, `adminName`, `password`, `timeZone`, `locale`, `country`
 */
export async function createOrganisation(deps: Pick<Deps, 'db'>, input: NewOrganisation): Promise<MadeTenant> {
  const { settings, email, errors } = read(input);
  const name = settings?.name ?? input.name;
  if ((await listOrganisations(deps)).some((one) => one.name.toLowerCase() === name.toLowerCase()))
    errors.push({ field: 'name', code: 'name_taken', detail: `an organisation is called ${name} already` });
  if (errors.length > 0 || !settings || email === undefined) throw new Problem(422, 'invalid_organisation', 'Nothing was made.', { errors });
  try {
    return await createTenant(deps, {
      name,
      ...(settings.timeZone && { timeZone: settings.timeZone }),
      ...(settings.defaultLocale !== undefined && { locale: settings.defaultLocale }),
      ...(settings.defaultCountry !== undefined && { country: settings.defaultCountry }),
      admin: { email, name: input.admin.name.trim(), password: input.admin.password },
      operator: input.operator,
      keyMode: 'live',
      senders: [],
    });
  } catch (error) {
    // Decided by the index: a disabled person keeps the address too.
    if ((error as { constraint?: string }).constraint !== 'users_email') throw error;
    const detail = `somebody signs in with ${email} already; an address belongs to one person of one organisation`;
    throw new Problem(422, 'invalid_organisation', 'Nothing was made.', { errors: [{ field: 'adminEmail', code: 'email_taken', detail }], cause: error });
  }
}

/** Names of settings as this verb's caller knows them. */
const FIELDS: Readonly<Record<string, string>> = { defaultLocale: 'locale', defaultCountry: 'country' };

function read({ name, admin, timeZone, locale, country }: NewOrganisation) {
  const errors: FieldError[] = [];
  const parsed = settingsChangeSchema.safeParse({ name, timeZone, defaultLocale: locale, defaultCountry: country });
  for (const issue of parsed.error?.issues ?? []) {
    const field = String(issue.path[0]);
    errors.push({ field: FIELDS[field] ?? field, code: 'invalid', detail: field === 'name' ? 'must be 1 to 100 characters' : issue.message });
  }
  if (country !== undefined && !isCountry(country) && !errors.some((one) => one.field === 'country'))
    errors.push({ field: 'country', code: 'unknown_country', detail: `${country} is no country with telephone numbers of its own` });
  const { email } = readRecipient({ email: admin.email }, 'US').fields;
  if (email === undefined) errors.push({ field: 'adminEmail', code: 'bad_email', detail: 'must be an address such as ann@example.org' });
  if (admin.name.trim() === '' || admin.name.length > 200) errors.push({ field: 'adminName', code: 'invalid', detail: 'must be 1 to 200 characters' });
  if (admin.password.length < PASSWORD_MIN || admin.password.length > PASSWORD_MAX)
    errors.push({ field: 'password', code: 'invalid', detail: `must be ${PASSWORD_MIN} to ${PASSWORD_MAX} characters` });
  return { settings: parsed.data, email, errors };
}
