import type { HookFields } from '#domain/delivery/hook.ts';
import { Problem } from '#platform/errors.ts';

/** Media type of HTML forms, as carriers send them. */
export const FORM = 'application/x-www-form-urlencoded';

/**
 * The fields of a form.
 * @throws Problem 403 for one with a field that is there twice: it would be signed one way and read another, and no carrier sends any
 */
export function formFields(body: string): HookFields {
  const fields = new URLSearchParams(body);
  const params = Object.fromEntries(fields);
  if (fields.size !== Object.keys(params).length) throw new Problem(403, 'bad_signature', 'A field is there twice.');
  return params;
}
