import { domainToASCII } from 'node:url';
import type { CountryCode } from 'libphonenumber-js/max';
import { MESSAGE_CLASSES, type MessageClass } from '#schemas/delivery.ts';
import { localeSchema } from '#schemas/message.ts';
import { timeZoneSchema } from '#schemas/settings.ts';
import { readPhone } from './phone.ts';

/** The columns of an import file, which are the fields of a person in the API too. */
export const RECIPIENT_COLUMNS = ['external_id', 'name', 'phone', 'email', 'locale', 'time_zone', 'lat', 'lon', 'tags', 'skills', 'consent'] as const;
export type RecipientColumn = (typeof RECIPIENT_COLUMNS)[number];

/** The fields of a person, normalised and checked. A field that is absent was not given, so that nothing is overwritten. */
export interface RecipientFields {
  external_id?: string;
  name?: string;
  /** E.164. */
  phone?: string;
  /** Lower case. */
  email?: string;
  /** Canonical BCP 47. */
  locale?: string;
  /** An IANA name. */
  time_zone?: string;
  lat?: number;
  lon?: number;
  /** Sorted, without repeats. */
  tags?: string[];
  skills?: string[];
  /** In the order of MESSAGE_CLASSES; empty where the person was asked and agreed to nothing. */
  consent?: MessageClass[];
}

/** What is wrong with one field, and what would be right. */
export interface FieldIssue {
  readonly field: string;
  /** Programs may rely on it, since it never changes. */
  readonly code: string;
  readonly detail: string;
}

export interface FieldsReading {
  readonly fields: RecipientFields;
  readonly errors: FieldIssue[];
  readonly warnings: FieldIssue[];
}

/** Values as they come: text from CSV, and text, numbers and arrays from JSON. */
export type RawFields = Readonly<Partial<Record<RecipientColumn, unknown>>>;

class Reading implements FieldsReading {
  readonly fields: RecipientFields = {};
  readonly errors: FieldIssue[] = [];
  readonly warnings: FieldIssue[] = [];
  refuse(field: RecipientColumn, code: string, detail: string): undefined {
    this.errors.push({ field, code, detail });
    return undefined;
  }
}

/**
 * Checks and normalises one person. Every wrong field is reported, not only the first.
 * @param country the ISO 3166-1 code of telephone numbers that are written without one
 */
export function readRecipient(raw: RawFields, country: CountryCode): FieldsReading {
  const reading = new Reading();
  const { fields } = reading;
  const set = <K extends keyof RecipientFields>(key: K, value: RecipientFields[K] | undefined) => {
    if (value !== undefined) fields[key] = value;
  };
  set('external_id', line(reading, 'external_id', raw.external_id, 200));
  set('name', line(reading, 'name', raw.name, 200));
  set('phone', phone(reading, raw.phone, country));
  set('email', email(reading, raw.email));
  set('locale', known(reading, 'locale', raw.locale, canonicalLocale));
  set('time_zone', known(reading, 'time_zone', raw.time_zone, canonicalTimeZone));
  set('lat', degrees(reading, 'lat', raw.lat, 90));
  set('lon', degrees(reading, 'lon', raw.lon, 180));
  set('tags', words(reading, 'tags', raw.tags));
  set('skills', words(reading, 'skills', raw.skills));
  set('consent', consent(reading, raw.consent));
  if (reading.errors.length === 0 && (fields.lat === undefined) !== (fields.lon === undefined))
    reading.refuse(fields.lat === undefined ? 'lat' : 'lon', 'place_incomplete', 'lat and lon are needed together');
  return reading;
}

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;

/** A leading ' tells spreadsheets that a cell with + = - or @ is no formula, and our own export writes it too. */
const unescapeFormula = (text: string): string => (/^'[=+\-@\t\r]/.test(text) ? text.slice(1) : text);

function text(reading: Reading, field: RecipientColumn, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (typeof value !== 'string') return reading.refuse(field, 'wrong_type', `${field} must be text`);
  const trimmed = unescapeFormula(value.trim());
  return trimmed === '' ? undefined : trimmed;
}

function line(reading: Reading, field: RecipientColumn, value: unknown, max: number): string | undefined {
  const given = text(reading, field, value);
  if (given === undefined) return undefined;
  if (CONTROL.test(given)) return reading.refuse(field, 'control_character', `${field} contains a line break or another control character`);
  if (given.length > max) return reading.refuse(field, 'too_long', `${field} is longer than ${max} characters`);
  return given;
}

function phone(reading: Reading, value: unknown, country: CountryCode): string | undefined {
  const given = text(reading, 'phone', value);
  if (given === undefined) return undefined;
  const result = readPhone(given, country);
  if ('problem' in result) return reading.refuse('phone', 'bad_phone', `phone ${result.problem} (read with default country ${country})`);
  if (result.doubt === 'unassigned')
    reading.warnings.push({ field: 'phone', code: 'phone_unassigned', detail: 'no known numbering plan assigns this number; it is kept' });
  if (result.doubt === 'landline')
    reading.warnings.push({ field: 'phone', code: 'phone_landline', detail: 'this looks like a landline, which may take no SMS; it is kept' });
  return result.e164;
}

// The local part is a dot-atom of RFC 5322 section 3.2.3 in ASCII, since too many relays refuse quoted parts and SMTPUTF8.
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;

function email(reading: Reading, value: unknown): string | undefined {
  const given = text(reading, 'email', value);
  if (given === undefined) return undefined;
  const at = given.lastIndexOf('@');
  const local = given.slice(0, at);
  const host = given.slice(at + 1).toLowerCase();
  const domain = DOMAIN.test(host) ? host : domainToASCII(host);
  // The limits are those of RFC 5321 section 4.5.3.1. The address is in lower case as a whole, since no real mailbox tells
  // Ann@ from ann@, and one person must be one row.
  if (at < 1 || at > 64 || given.length > 254 || !LOCAL_PART.test(local) || !DOMAIN.test(domain))
    return reading.refuse('email', 'bad_email', 'email is not an address such as ann@example.org');
  return `${local.toLowerCase()}@${domain}`;
}

/** Copies a cell, which is a slice of a piece of the file: what is kept must not keep the 64 kB of the piece with it. */
const ownCopy = (text: string): string => Buffer.from(text).toString();

/** Remembers values, so that each is looked at once. It keeps 1,000 at most, since a file may hold anything. */
function remembered<T>(compute: (text: string) => T | undefined): (text: string) => T | undefined {
  const memory = new Map<string, T | undefined>();
  return (given) => {
    if (memory.has(given)) return memory.get(given);
    if (memory.size >= 1_000) memory.clear();
    const own = ownCopy(given);
    const result = compute(own);
    memory.set(own, result);
    return result;
  };
}

const canonicalLocale = remembered((given) => {
  // Half of all systems write it as en_US.
  const tag = given.replaceAll('_', '-');
  return localeSchema.safeParse(tag).success ? Intl.getCanonicalLocales(tag)[0] : undefined;
});

const canonicalTimeZone = remembered((given) => timeZoneSchema.safeParse(given).data);

function known(reading: Reading, field: 'locale' | 'time_zone', value: unknown, canonical: (text: string) => string | undefined): string | undefined {
  const given = line(reading, field, value, 64);
  if (given === undefined) return undefined;
  const hint = field === 'locale' ? 'a BCP 47 language tag such as en or pt-BR' : 'an IANA time zone such as Europe/Berlin';
  return canonical(given) ?? reading.refuse(field, `bad_${field}`, `${field} is not ${hint}`);
}

function degrees(reading: Reading, field: 'lat' | 'lon', value: unknown, max: number): number | undefined {
  const given = text(reading, field, value);
  if (given === undefined) return undefined;
  const number = Number(given);
  if (!/^[+-]?\d/.test(given) || !Number.isFinite(number) || Math.abs(number) > max)
    return reading.refuse(field, `bad_${field}`, `${field} must be degrees from -${max} to ${max}`);
  // It is rounded to a centimetre. Far smaller numbers (1e-300) would make Postgres refuse every query by area with an underflow.
  return Math.round(number * 1e7) / 1e7;
}

/** The lists of files, by how they are written there. People share most of them, so that one array serves all who do. */
const LISTS = { tags: new Map<string, string[]>(), skills: new Map<string, string[]>(), consent: new Map<string, MessageClass[]>() };
const MAX_LISTS = 1_000;
const MAX_REMEMBERED = 200;

/**
 * Reads a list, or remembers what the same words meant before. A refused list is read again, so that each row is told why.
 */
function rememberedList<T extends string>(
  reading: Reading,
  memory: Map<string, T[]>,
  value: unknown,
  read: (reading: Reading, value: unknown) => T[] | undefined,
): T[] | undefined {
  if (typeof value !== 'string' || value.length > MAX_REMEMBERED) return read(reading, value);
  const known = memory.get(value);
  if (known) return known;
  const own = ownCopy(value);
  const faults = reading.errors.length;
  const result = read(reading, own);
  if (result === undefined || reading.errors.length > faults) return result;
  if (memory.size >= MAX_LISTS) memory.clear();
  memory.set(own, result);
  return result;
}

function list(reading: Reading, field: RecipientColumn, value: unknown): string[] | undefined {
  const parts = Array.isArray(value) ? (value as unknown[]) : text(reading, field, value)?.split(';');
  if (parts === undefined) return undefined;
  const clean = new Set<string>();
  for (const part of parts) {
    const word = line(reading, field, part, 100);
    if (word !== undefined) clean.add(word);
  }
  if (clean.size > 200) return reading.refuse(field, 'too_many', `${field} has more than 200 entries`);
  return [...clean].sort();
}

const words = (reading: Reading, field: 'tags' | 'skills', value: unknown): string[] | undefined =>
  rememberedList(reading, LISTS[field], value, (own, given) => list(own, field, given));

const consent = (reading: Reading, value: unknown): MessageClass[] | undefined => rememberedList(reading, LISTS.consent, value, readConsent);

/** A file says by `none` that the person was asked and agreed to nothing. */
function readConsent(reading: Reading, value: unknown): MessageClass[] | undefined {
  const given = list(reading, 'consent', value)?.map((word) => word.toLowerCase());
  if (given === undefined) return undefined;
  const purposes = given.filter((word) => word !== 'none');
  const wrong = purposes.find((word) => !(MESSAGE_CLASSES as readonly string[]).includes(word));
  if (wrong !== undefined) return reading.refuse('consent', 'bad_consent', `consent must be of life, ops and bulk (or none), not "${wrong.slice(0, 30)}"`);
  if (purposes.length > 0 && purposes.length < given.length) return reading.refuse('consent', 'bad_consent', 'consent cannot be none and something');
  return MESSAGE_CLASSES.filter((purpose) => purposes.includes(purpose));
}
