/** One field that is wrong, and what would be right. */
export interface FieldError {
  readonly field: string;
  readonly code: string;
  readonly detail: string;
}

/**
 * A refusal that the caller can act on. The HTTP layer turns it into `application/problem+json` (RFC 9457).
 * `code` is stable and part of the API; `detail` is for people.
 */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: readonly FieldError[];
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    detail: string,
    options: { errors?: readonly FieldError[]; extra?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.errors = options.errors ?? [];
    this.extra = options.extra ?? {};
  }
}

/** A 422 about one field. */
export const invalidField = (field: string, code: string, detail: string): Problem => new Problem(422, code, detail, { errors: [{ field, code, detail }] });

/** A 422 about several fields, each of them named with what would be right. */
export const invalidFields = (code: string, errors: readonly FieldError[]): Problem =>
  new Problem(422, code, errors.map(({ field, detail }) => `${field}: ${detail}`).join('; '), { errors });

/** A 404 for an id that names nothing this tenant can see. */
export const notFound = (what: string): Problem => new Problem(404, 'not_found', `No such ${what}.`);

/** A 409: the row is in a state that does not allow this. */
export const conflict = (code: string, detail: string, extra: Record<string, unknown> = {}): Problem => new Problem(409, code, detail, { extra });
