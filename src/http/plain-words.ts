import type { z } from 'zod';

type RawIssue = z.core.$ZodRawIssue;

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list: […]',
  object: 'an object: {…}',
  record: 'an object: {…}',
  date: 'a time',
};

const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'must be an RFC 3339 time with its offset, such as 2026-11-22T18:00:00Z or 2026-11-22T19:00:00+01:00',
  email: 'must be an e-mail address such as ann@example.org',
  url: 'must be an address such as https://example.org',
};

const MISSING = 'is required';

/** Whether the issue is about a value that was not given at all. */
export const isMissing = (issue: { readonly code?: string | undefined; readonly message?: string | undefined }): boolean =>
  (issue.code === 'invalid_type' || issue.code === 'invalid_value') && issue.message?.startsWith(MISSING) === true;

const oneOf = (values: readonly unknown[]): string => (values.length === 1 ? JSON.stringify(values[0]) : `one of ${values.map(String).join(', ')}`);
const NOUNS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
  set: ['entry', 'entries'],
};

/** Says `must not be empty`, `must have at most 3 characters` or `must be more than 0`. */
function bounded(origin: string, side: 'least' | 'most', limit: number | bigint, inclusive = true): string {
  const noun = NOUNS[origin];
  if (noun === undefined) return inclusive ? `must be at ${side} ${limit}` : `must be ${side === 'least' ? 'more' : 'less'} than ${limit}`;
  if (side === 'least' && Number(limit) === 1) return 'must not be empty';
  return `must have at ${side} ${limit} ${noun[Number(limit) === 1 ? 0 : 1]}`;
}

/** Says what would be right, to whoever calls the API. With undefined the library's own words stay. */
export function plainWords(issue: RawIssue): string | undefined {
  const missing = issue.input === undefined;
  switch (issue.code) {
    case 'unrecognized_keys': {
      const { shape } = (issue.inst as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def ?? {};
      return shape ? `is not a field here; known fields: ${Object.keys(shape).join(', ')}` : 'is not a field here';
    }
    case 'invalid_type': {
      const kind = KINDS[issue.expected];
      return kind && (missing ? `${MISSING}: ${kind}` : `must be ${kind}`);
    }
    case 'invalid_value':
      return missing ? `${MISSING}: ${oneOf(issue.values)}` : `must be ${oneOf(issue.values)}`;
    case 'too_small':
      return bounded(issue.origin, 'least', issue.minimum, issue.inclusive);
    case 'too_big':
      return bounded(issue.origin, 'most', issue.maximum, issue.inclusive);
    case 'invalid_format':
      return FORMATS[issue.format];
    default:
      return undefined;
  }
}
