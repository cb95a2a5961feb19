import { readRecipient } from '#domain/recipients/recipient-fields.ts';
import type { FieldError } from '#platform/errors.ts';

/** A password that is the only factor has at least 15 characters (NIST SP 800-63B-4 section 3.1.1.2). */
const PASSWORD_MIN = 15;
const PASSWORD_MAX = 256;

export interface NewUser {
  readonly email: string;
  readonly name: string;
  readonly password: string;
}

interface ReadUser {
  readonly email: string | undefined;
  readonly name: string;
  readonly errors: FieldError[];
}

/**
 * Reads what a person who signs in must have, by the same rules for an organisation's first administrator and everybody after.
 * @param fields what the verb's caller calls the two fields
 */
export function readUser(given: NewUser, fields: { email: string; name: string }): ReadUser {
  const errors: FieldError[] = [];
  const { email } = readRecipient({ email: given.email }, 'US').fields;
  if (email === undefined) errors.push({ field: fields.email, code: 'bad_email', detail: 'must be an address such as ann@example.org' });
  const name = given.name.trim();
  if (name === '' || name.length > 200) errors.push({ field: fields.name, code: 'invalid', detail: 'must be 1 to 200 characters' });
  return { email, name, errors: [...errors, ...passwordErrors(given.password)] };
}

export const passwordErrors = (password: string): FieldError[] =>
  password.length < PASSWORD_MIN || password.length > PASSWORD_MAX
    ? [{ field: 'password', code: 'invalid', detail: `must be ${PASSWORD_MIN} to ${PASSWORD_MAX} characters` }]
    : [];

/**
 * Why an insert into `users` failed, where the address is the reason. The index decides, since a disabled person keeps their
 * address too.
 */
export function takenEmail(error: unknown, field: string, email: string): FieldError | undefined {
  if ((error as { constraint?: string }).constraint !== 'users_email') return undefined;
  const detail = `somebody, perhaps disabled, has ${email} already; an address belongs to one person of one organisation`;
  return { field, code: 'email_taken', detail };
}
