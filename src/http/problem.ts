import type { Hook } from '@hono/zod-openapi';
import type { Context as HonoContext, ErrorHandler, NotFoundHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { STATUS_CODES } from 'node:http';
import { type FieldError, Problem } from '#platform/errors.ts';
import type { AppEnv, Deps } from './env.ts';
import { jsonFault } from './json-fault.ts';
import { problemPage } from './problem-page.ts';
import { isUnavailable } from '#platform/unavailable.ts';
import { isUnstorable } from '#platform/unstorable.ts';
import { fieldErrors } from './validation.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** The body of every refusal, `application/problem+json` (RFC 9457). */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  /** The code never changes: it is part of the API. */
  code: string;
  detail: string;
  errors: readonly { field: string; code: string; detail: string }[];
  requestId: string;
  [more: string]: unknown;
}

export function problemBody(problem: Problem, requestId: string): ProblemBody {
  return {
    ...problem.extra,
    type: `urn:muster:problem:${problem.code}`,
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    code: problem.code,
    detail: problem.message,
    errors: problem.errors,
    requestId,
  };
}

/** `extra.retryAfterSeconds` of a Problem also becomes the Retry-After header, `extra.allow` (405) the Allow header. */
export function problemResponse(c: HonoContext<AppEnv>, problem: Problem): Response {
  const headers = new Headers({ 'Content-Type': PROBLEM_TYPE });
  const { retryAfterSeconds, allow } = problem.extra;
  if (typeof retryAfterSeconds === 'number') headers.set('Retry-After', String(Math.max(1, Math.ceil(retryAfterSeconds))));
  if (problem.status === 412 && typeof problem.extra['etag'] === 'string') headers.set('ETag', problem.extra['etag']);
  if (Array.isArray(allow)) headers.set('Allow', allow.join(', '));
  if (problem.status === 401) headers.set('WWW-Authenticate', `Bearer realm="muster"${problem.code === 'invalid_api_key' ? ', error="invalid_token"' : ''}`);
  // Nobody reads the rest of a refused body, so the client is told that this connection ends.
  if (problem.status === 413) headers.set('Connection', 'close');
  return c.body(JSON.stringify(problemBody(problem, c.get('requestId') ?? '')), { status: problem.status as 400, headers });
}

/** Answers a request that does not fit the schema of its route. It is the `defaultHook` of the app, which mounted routes inherit. */
export const validationHook: Hook<unknown, AppEnv, string, Response | undefined> = (result, c) => {
  if (result.success) return undefined;
  const errors = fieldErrors(result.error, (result as { data?: unknown }).data);
  const where = { json: 'body', form: 'form', query: 'query', param: 'path', header: 'header', cookie: 'cookie' }[result.target] ?? 'request';
  return problemResponse(c, invalid(where, errors));
};

/** So many wrong fields are named. A body of a megabyte can be wrong in 60,000 places, and its answer would have 12 MB. */
const NAMED = 100;

function invalid(where: string, errors: readonly FieldError[]): Problem {
  const count = `${errors.length} field${errors.length === 1 ? '' : 's'} to correct${errors.length > NAMED ? `, of which ${NAMED} are named` : ''}`;
  return new Problem(422, 'invalid_request', `The ${where} is not valid: ${count}.`, { errors: errors.slice(0, NAMED) });
}

/** Turns whatever a handler or middleware threw into a Problem; undefined for what nobody foresaw. */
export async function toProblem(error: unknown, c?: HonoContext<AppEnv>): Promise<Problem | undefined> {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException) return fromHttpException(error, c);
  if (isZodError(error)) return invalid('request', fieldErrors(error));
  // Only a body can drive our recursion that deep: an audience of 5,000 levels does, and one of 1,000 passes.
  if (error instanceof RangeError && /call stack/.test(error.message))
    return new Problem(422, 'nested_too_deep', 'The body is nested too deep; an audience needs a few levels only.');
  if (isUnavailable(error))
    return new Problem(503, 'unavailable', 'The database cannot be reached or is busy. Repeat the request with the same Idempotency-Key.', {
      extra: { retryAfterSeconds: 2 },
      cause: error,
    });
  if (isUnstorable(error)) return new Problem(422, 'unstorable_text', 'Some text holds a NUL or half of a surrogate pair, which no field takes.');
  return undefined;
}

async function fromHttpException(error: HTTPException, c: HonoContext<AppEnv> | undefined): Promise<Problem> {
  if (error.status === 415)
    return new Problem(415, 'unsupported_media_type', 'This Content-Type is not taken here; the OpenAPI document names those that are.');
  if (error.status === 400 && c && /JSON/.test(error.message)) return malformedJson(c);
  return new Problem(error.status, error.status === 400 ? 'malformed_request' : 'refused', error.message || (STATUS_CODES[error.status] ?? 'Refused'));
}

/** Hono hides why the body could not be read. Its cached read still knows: the body was too large, was cut off, or is not JSON. */
async function malformedJson(c: HonoContext<AppEnv>): Promise<Problem> {
  let text: string;
  try {
    text = await c.req.text();
  } catch (reason) {
    return reason instanceof Problem ? reason : new Problem(400, 'incomplete_body', 'The body ended early.');
  }
  const fault = jsonFault(text);
  if (!fault) return new Problem(400, 'malformed_json', 'The body could not be read as JSON.');
  const { line, column, position, expected } = fault;
  return new Problem(400, 'malformed_json', `The body is not JSON: line ${line}, column ${column}: expected ${expected}.`, {
    extra: { line, column, position },
  });
}

const isZodError = (error: unknown): error is Parameters<typeof fieldErrors>[0] =>
  error instanceof Error && error.name === 'ZodError' && Array.isArray((error as { issues?: unknown }).issues);

/** Answers with a page where a person looks at it, and with JSON otherwise. */
function refuse(c: HonoContext<AppEnv>, deps: Pick<Deps, 'config'>, problem: Problem): Response | Promise<Response> {
  const response = problemResponse(c, problem);
  return problemPage(c, deps, problem, response.headers) ?? response;
}

export const notFoundHandler =
  (deps: Pick<Deps, 'config'>): NotFoundHandler<AppEnv> =>
  (c) =>
    refuse(c, deps, new Problem(404, 'not_found', 'There is nothing at this address.'));

export const methodNotAllowedHandler =
  (deps: Pick<Deps, 'config'>) =>
  (c: HonoContext<AppEnv>, methods: string[]): Response | Promise<Response> =>
    refuse(c, deps, new Problem(405, 'method_not_allowed', `This address takes ${methods.join(', ')}.`, { extra: { allow: methods } }));

/** The one place where errors become answers. Nothing of an unforeseen error leaves the process but the request id. */
export const errorHandler =
  (deps: Pick<Deps, 'log' | 'config'>): ErrorHandler<AppEnv> =>
  async (error, c) => {
    const problem = await toProblem(error, c);
    if (problem) {
      if (problem.status >= 500)
        deps.log.warn({ requestId: c.get('requestId'), code: problem.code, cause: (problem.cause as { code?: string } | undefined)?.code }, 'refused for now');
      return refuse(c, deps, problem);
    }
    deps.log.error(
      { requestId: c.get('requestId'), err: { name: error.name, code: (error as { code?: string }).code, stack: error.stack } },
      'unforeseen error',
    );
    return refuse(c, deps, new Problem(500, 'internal_error', 'Something failed here that nobody foresaw. The request id finds it in the log.'));
  };
