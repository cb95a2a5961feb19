import { z } from 'zod';
import type { CallFilter } from './call-log.ts';
import { changeSchema } from './control.ts';
import { type Answer, json, problem, type Request } from './http.ts';
import type { Controls } from './controls.ts';

const subscriptionsSchema = z.strictObject({
  count: z.int().min(1).max(10_000),
  /** Number of the first subscription, which brings the same ones again; without it they are new. */
  first: z.int().min(1).max(900_000_000).optional(),
  /** VAPID public key that alone may send to these subscriptions. */
  applicationServerKey: z
    .string()
    .regex(/^[A-Za-z0-9_-]{87}$/, 'must be 65 bytes in URL-safe base64')
    .optional(),
});

const phone = z.string().regex(/^\+[1-9]\d{6,14}$/, 'must be a number in E.164, such as +15005550100');
export const textSchema = z.strictObject({
  from: phone,
  to: z.string().regex(/^(\+[1-9]\d{6,14}|\d{3,8})$/, 'must be a number in E.164 or a short code'),
  body: z.string().min(1).max(1600),
});

const resetSchema = z.strictObject({ calls: z.boolean().default(false) });

const callsSchema = z.strictObject({
  channel: z.enum(['sms', 'push', 'email']).optional(),
  to: z.string().optional(),
  ref: z.string().optional(),
  limit: z.coerce.number().int().min(0).max(100_000).default(1000),
});

/** A 422 with one entry for each field that is wrong. */
function refuse(error: z.ZodError): Answer {
  const errors = error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ field: [...path, key].join('.'), code: 'unknown_field', detail: 'is not a field of this' }));
    return [{ field: path.join('.'), code: issue.code, detail: issue.message }];
  });
  return problem(422, 'invalid', 'Some fields are wrong.', { errors });
}

async function withBody<T>(request: Request, schema: z.ZodType<T>, act: (value: T) => Answer | Promise<Answer>): Promise<Answer> {
  if (request.method !== 'POST') return problem(405, 'method_not_allowed', 'Only POST here.');
  let value: unknown;
  try {
    value = request.body.length === 0 ? {} : JSON.parse(request.body.toString('utf8'));
  } catch {
    return problem(400, 'malformed_json', 'The body is not JSON.');
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? act(parsed.data) : refuse(parsed.error);
}

/** Answers `/control…`, by which people and tests tell the simulated carriers what to do. */
export async function controlApi(controls: Controls, request: Request): Promise<Answer> {
  switch (request.path) {
    case '/control':
      if (request.method === 'GET') return json(200, controls.behaviour());
      return withBody(request, changeSchema, (change) => json(200, controls.control(change)));
    case '/control/state':
      return json(200, controls.state());
    case '/control/reset':
      return withBody(request, resetSchema, async (options) => {
        await controls.reset(options);
        return json(200, controls.behaviour());
      });
    case '/control/subscriptions':
      return withBody(request, subscriptionsSchema, async ({ count, first, applicationServerKey }) =>
        json(201, { items: await controls.subscriptions(count, { first, applicationServerKey, origin: `http://${request.headers.host ?? ''}` }) }),
      );
    case '/control/text':
      return withBody(request, textSchema, async (text) => json(200, { status: await controls.text(text) }));
    case '/control/calls': {
      const parsed = callsSchema.safeParse(Object.fromEntries(request.query));
      if (!parsed.success) return refuse(parsed.error);
      const { limit, ...filter } = parsed.data;
      return json(200, await controls.calls(filter satisfies CallFilter, limit));
    }
    default:
      return problem(404, 'not_found', 'No such control.');
  }
}
