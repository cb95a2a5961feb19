import type { Context as HonoContext } from 'hono';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { Problem } from '#platform/errors.ts';
import { contentPolicy, type Html, sentencePage } from '#web/public/layout.ts';
import { pageWords, tooManyText } from '#web/public/words.ts';
import { type ClientIp, limitKey } from './client-ip.ts';
import type { AppEnv, Deps } from './env.ts';
import { defaultHeaders, wholeResponse } from './security-headers.ts';

type C = HonoContext<AppEnv>;

export interface ShowOptions {
  readonly status?: 200 | 400 | 403 | 404 | 405 | 409 | 410 | 413 | 422 | 429 | 500 | 503;
  /** Whether the share page's own script may run. */
  readonly script?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The headers of a public page: it is kept nowhere, found by no search engine, and its address is told to nobody. */
export const publicHeaders = (deps: Pick<Deps, 'config'>, script = false): Readonly<Record<string, string>> => headersOf(deps, script).own;

interface PageHeaders {
  readonly own: Readonly<Record<string, string>>;
  /** All headers of a page but the request's id. */
  readonly page: Readonly<Record<string, string>>;
}

const kept = new WeakMap<Deps['config'], { plain?: PageHeaders; script?: PageHeaders }>();

/** Makes the headers once for each configuration, since the policy alone joins ten texts. */
function headersOf(deps: Pick<Deps, 'config'>, script: boolean): PageHeaders {
  const made = kept.get(deps.config) ?? {};
  const which = script ? 'script' : 'plain';
  let headers = made[which];
  if (!headers) {
    const own = ownHeaders(deps, script);
    headers = { own, page: { ...defaultHeaders(deps), ...own, 'Content-Type': 'text/html; charset=UTF-8' } };
    kept.set(deps.config, { ...made, [which]: headers });
  }
  return headers;
}

function ownHeaders(deps: Pick<Deps, 'config'>, script: boolean): Record<string, string> {
  return {
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
    'X-Robots-Tag': 'noindex,nofollow,noarchive',
    'Content-Security-Policy': contentPolicy(script),
    'X-Content-Type-Options': 'nosniff',
    ...(deps.config.publicUrl.startsWith('https:') ? { 'Strict-Transport-Security': 'max-age=31536000; includeSubDomains' } : {}),
  };
}

export async function show(c: C, deps: Pick<Deps, 'config'>, page: Html, options: ShowOptions = {}): Promise<Response> {
  // This is a primitive string: for hono's String object the server builds a whole web Response and reads it back as a
  // stream, which takes a tenth of what an answer costs.
  const body = String(typeof page === 'string' ? page : await page);
  // It is undefined where these pages are mounted alone, without the log that numbers requests.
  const requestId: string | undefined = c.get('requestId');
  return wholeResponse(body, options.status ?? 200, {
    ...headersOf(deps, options.script ?? false).page,
    ...(requestId === undefined ? {} : { 'X-Request-Id': requestId }),
    ...options.headers,
  });
}

/** Whether a browser fetches the page before anybody has asked for it. Such a fetch is nobody's act. */
export const isPrefetch = (c: C): boolean =>
  /prefetch|prerender/i.test(`${c.req.header('sec-purpose') ?? ''} ${c.req.header('purpose') ?? ''} ${c.req.header('x-moz') ?? ''}`);

/** The language that the browser asks for, where nothing else is known of the reader. */
export const localeOfBrowser = (c: C): string => /^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*/i.exec(c.req.header('accept-language') ?? '')?.[0] ?? 'en';

/** Answers with the same page for every link that leads nowhere, whatever the reason. */
export type Miss = (c: C) => Promise<Response>;

/** Takes one of an address's points. @returns 0, or the whole seconds until it has points again */
export async function secondsToWait(limiter: RateLimiterMemory, key: string): Promise<number> {
  try {
    await limiter.consume(key);
    return 0;
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    return Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
  }
}

/**
 * Answers links that lead nowhere: with a uniform 404, and with 429 after 30 a minute from one address. Only misses are counted
 * and refused: a phone network puts thousands of people behind one address, and none of them may be shut out because
 * somebody there is guessing.
 */
export function missCounter(deps: Pick<Deps, 'config'>, clientIp: ClientIp): Miss {
  const limiter = new RateLimiterMemory({ points: 30, duration: 60 });
  return async (c) => {
    const locale = localeOfBrowser(c);
    const wait = await secondsToWait(limiter, limitKey(clientIp(c)));
    if (wait > 0) return show(c, deps, sentencePage(locale, tooManyText(locale, wait)), { status: 429, headers: { 'Retry-After': String(wait) } });
    return show(c, deps, sentencePage(locale, pageWords(locale).notFound), { status: 404 });
  };
}

const FORM_MAX_BYTES = 16_384;

const tooLarge = (): Problem =>
  new Problem(413, 'body_too_large', `The body is larger than the ${FORM_MAX_BYTES} bytes taken here.`, { extra: { limitBytes: FORM_MAX_BYTES } });

/**
 * Whether the body is known to be small, since Node's parser holds the sender to the length that was declared. Such a body
 * is read at once, without a web stream, which would cost more than all other reading of an answer.
 */
function isSmall(c: C): boolean {
  const declared = Number(c.req.header('content-length') ?? 0);
  if (declared > FORM_MAX_BYTES) throw tooLarge();
  return declared > 0 && c.req.header('transfer-encoding') === undefined;
}

async function readSmall(c: C): Promise<Uint8Array> {
  if (isSmall(c)) return new Uint8Array(await c.req.arrayBuffer());
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > FORM_MAX_BYTES) throw tooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * Reads the body as text. A small one is not read as bytes first, which would copy it three times.
 * @throws Problem 413 `body_too_large`
 */
export const readText = async (c: C): Promise<string> => (isSmall(c) ? c.req.text() : Buffer.from(await readSmall(c)).toString('utf8'));

export type Fields = ReadonlyMap<string, string>;

/** Reads a small form, urlencoded or multipart. Files are left out, and the last of a repeated field counts. */
export async function readForm(c: C): Promise<Fields> {
  const type = c.req.header('content-type') ?? '';
  if (/^multipart\/form-data/i.test(type)) {
    const body = await readSmall(c);
    const form = await new Response(body as BodyInit, { headers: { 'content-type': type } }).formData().catch(() => undefined);
    if (!form) throw new Problem(400, 'invalid_form', 'The form could not be read.');
    return new Map([...form].flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : [])));
  }
  return new Map(new URLSearchParams(await readText(c)));
}

export async function readJson(c: C): Promise<unknown> {
  try {
    return JSON.parse(await readText(c));
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(400, 'invalid_json', 'The body is not JSON.', { cause: error });
  }
}
