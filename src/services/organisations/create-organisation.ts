import { isCountry } from '#domain/recipients/phone.ts';
import { type FieldError, Problem } from '#platform/errors.ts';
import { settingsChangeSchema } from '#schemas/settings.ts';
import type { Deps } from '#services/context.ts';
import { createTenant, type MadeTenant } from './create-tenant.ts';
import { listOrganisations } from './list-organisations.ts';
import { type NewUser, readUser, takenEmail } from '#services/access/user-fields.ts';

export interface NewOrganisation {
  readonly name: string;
  readonly admin: NewUser;
  /** An IANA name; without it the organisation's time is UTC until somebody sets it. */
  readonly timeZone?: string | undefined;
  readonly locale?: string | undefined;
  /** ISO 3166-1. */
  readonly country?: string | undefined;
  /** Its administrator may stop and release the whole installation. */
  readonly operator: boolean;
}

/**
 * Makes an organisation of a real installation: it begins with the rules of sending of every new organisation, its key is
 * live, and it has no senders yet.
 * @throws Problem 422 that names every wrong field: `name` (`name_taken` where another one has it), `adminEmail`, `adminName`,
 *   `password`, `timeZone`, `locale`, `country`
 */
export async function createOrganisation(deps: Pick<Deps, 'db'>, input: NewOrganisation): Promise<MadeTenant> {
  const { settings, email, errors } = read(input);
  const name = settings?.name ?? input.name;
  if ((await listOrganisations(deps)).some((one) => one.name.toLowerCase() === name.toLowerCase()))
    errors.push({ field: 'name', code: 'name_taken', detail: `an organisation is called ${name} already` });
  if (errors.length > 0 || !settings || email === undefined) throw nothingMade(errors);
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
    const taken = takenEmail(error, 'adminEmail', email);
    throw taken ? nothingMade([taken], error) : error;
  }
}

const nothingMade = (errors: readonly FieldError[], cause?: unknown): Problem =>
  new Problem(422, 'invalid_organisation', 'Nothing was made.', { errors, cause });

/** What this verb's caller calls the settings. */
const FIELDS: Readonly<Record<string, string>> = { defaultLocale: 'locale', defaultCountry: 'country' };

function read({ name, admin, timeZone, locale, country }: NewOrganisation) {
  const errors: FieldError[] = [];
  const parsed = settingsChangeSchema.safeParse({ name, timeZone, defaultLocale: locale, defaultCountry: country });
  for (const issue of parsed.error?.issues ?? []) {
    const field = String(issue.path[0]);
    const detail = field === 'name' ? 'must be 1 to 100 characters' : issue.message;
    errors.push({ field: FIELDS[field] ?? field, code: 'invalid', detail });
  }
  if (country !== undefined && !isCountry(country) && !errors.some((one) => one.field === 'country'))
    errors.push({ field: 'country', code: 'unknown_country', detail: `${country} is no country with telephone numbers of its own` });
  const person = readUser(admin, { email: 'adminEmail', name: 'adminName' });
  return { settings: parsed.data, email: person.email, errors: [...errors, ...person.errors] };
}
