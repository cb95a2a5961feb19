import type { Context as HonoContext, MiddlewareHandler } from 'hono';
import { createHash, type Hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { conflict, invalidField } from '#platform/errors.ts';
import { isUnavailable } from '#platform/unavailable.ts';
import type { Context } from '#services/context.ts';
import { claimKey, releaseKey, renewKey, storeAnswer, type StoredAnswer } from '#services/idempotency-keys.ts';
import { isStreamedPath } from './body-limit.ts';
import type { AppEnv } from './env.ts';

const RENEW_MS = 5_000;
const RELEASE_EVERY_MS = 250;
/** It is longer than a key stays claimed by a process that died, after which it is free anyway. */
const RELEASE_FOR_MS = 20_000;
const LISTS: Readonly<Record<string, string>> = { msg_: 'messages', rcp_: 'recipients' };
const KEPT_HEADERS = ['content-type', 'location'];

/**
 * Idempotency-Key on a POST (draft-ietf-httpapi-idempotency-key-header): the same key and the same request give the
 * first answer again, byte for byte, for 24 hours; another request under the key is 422; one that still runs is 409.
 * Answers of 5xx and 429 are not kept, so that the repeat executes. "The same request" is method, address, key holder,
 * Content-Type and body. A streamed import is hashed while its handler reads it; a repeat is read only to be hashed.
 */
export function idempotency(): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const key = c.req.method === 'POST' ? c.req.header('idempotency-key') : undefined;
    if (key === undefined) return next();
    if (!/^[\x21-\x7e]{1,255}$/.test(key))
      throw invalidField('Idempotency-Key', 'invalid_idempotency_key', 'must be 1 to 255 visible ASCII characters, such as a UUID');
    const streamed = isStreamedPath(c.req.path);
    const hash = hashOf(c);
    if (!streamed) hash.update(new Uint8Array(await c.req.arrayBuffer()));
    // A streamed request is known by this hash until its body has passed.
    const claimHash = hash
      .copy()
      .update(streamed ? '\nstreamed' : '')
      .digest();
    const claim = await claimKey(c.var.ctx, key, claimHash);
    if (claim.kind === 'mine') return execute(c, next, { key, fence: claim.fence, body: streamed ? passThrough(c, hash) : undefined });
    const asked = claim.kind === 'answered' && streamed ? await digestRest(c, hash) : claimHash;
    if (!asked.equals(claim.requestHash))
      throw invalidField(
        'Idempotency-Key',
        'idempotency_key_reused',
        'This key was used within 24 hours for another request; use a new one for each new request.',
      );
    if (claim.kind === 'running')
      throw conflict('idempotency_key_in_progress', 'The first request with this key is still being worked on; repeat in a moment.', {
        retryAfterSeconds: claim.retryAfterSeconds,
      });
    return replay(claim.answer);
  };
}

interface Held {
  readonly key: string;
  readonly fence: string;
  /** Gives the hash over the whole of a streamed body, once it has been read to its end. */
  readonly body: (() => Buffer | undefined) | undefined;
}

async function execute(c: HonoContext<AppEnv>, next: () => Promise<void>, held: Held): Promise<Response | undefined> {
  const { ctx } = c.var;
  let inTransaction: StoredAnswer | undefined;
  const complete: NonNullable<Context['idempotency']>['complete'] = async (tx, status, body) => {
    const answer = { status, headers: null, body: JSON.stringify(body ?? null) };
    if (!(await storeAnswer(tx, ctx.tenantId, held.key, held.fence, answer)))
      throw conflict('idempotency_key_in_progress', 'A repeat of this request was faster.', { retryAfterSeconds: 1 });
    inTransaction = answer;
  };
  c.set('ctx', { ...ctx, idempotency: { complete } });
  const renewal = setInterval(() => void renewKey(ctx, held.key, held.fence).catch((error: unknown) => warn(ctx, error)), RENEW_MS).unref();
  try {
    await next();
  } finally {
    clearInterval(renewal);
  }
  // The first caller gets, byte for byte, what a repeat will be given.
  if (inTransaction && c.res.ok) c.res = answerResponse(inTransaction);
  else
    await settle(c, held).catch((error: unknown) => {
      warn(ctx, error);
      if (isUnavailable(error)) void releaseLater(ctx, held);
    });
  return undefined;
}

/**
 * Frees the key of a request under which the database went away, as soon as the database is back, so that the repeat need
 * not wait for as long as a dead process is given. An answer that was committed after all is left alone.
 */
async function releaseLater(ctx: Context, held: Held): Promise<void> {
  for (let waitedMs = 0; waitedMs < RELEASE_FOR_MS; waitedMs += RELEASE_EVERY_MS) {
    await delay(RELEASE_EVERY_MS);
    try {
      return await releaseKey(ctx, held.key, held.fence);
    } catch (error) {
      if (!isUnavailable(error)) return warn(ctx, error);
    }
  }
}

async function settle(c: HonoContext<AppEnv>, held: Held): Promise<void> {
  const { ctx } = c.var;
  const { status } = c.res;
  const wholeHash = held.body?.();
  const known = held.body === undefined || wholeHash !== undefined;
  if (status >= 500 || status === 429 || !known) return releaseKey(ctx, held.key, held.fence);
  const body = await c.res.text();
  const headers = Object.fromEntries(KEPT_HEADERS.flatMap((name) => (c.res.headers.has(name) ? [[name, c.res.headers.get(name) ?? '']] : [])));
  c.res = new Response(body, { status, headers: c.res.headers });
  const kept = await ctx.db.withTenant(ctx.tenantId, (tx) => storeAnswer(tx, ctx.tenantId, held.key, held.fence, { status, headers, body }, wholeHash));
  if (!kept) ctx.log.warn({ requestId: ctx.requestId }, 'an idempotency key was taken over before its answer was kept');
}

function replay(answer: StoredAnswer): Response {
  const response = answerResponse(answer);
  response.headers.set('Idempotency-Replayed', 'true');
  return response;
}

function answerResponse(answer: StoredAnswer): Response {
  const headers = new Headers(answer.headers ?? { 'Content-Type': 'application/json' });
  // This answer was kept inside a verb's transaction, which knows no addresses. The id of what was made tells the address.
  if (answer.headers === null && answer.status === 201) {
    const { id } = JSON.parse(answer.body) as { id?: unknown };
    const list = typeof id === 'string' ? LISTS[id.slice(0, 4)] : undefined;
    if (list !== undefined) headers.set('Location', `/v1/${list}/${String(id)}`);
  }
  return new Response(answer.status === 204 ? null : answer.body, { status: answer.status, headers });
}

function hashOf(c: HonoContext<AppEnv>): Hash {
  const { pathname, search } = new URL(c.req.url);
  return createHash('sha256').update([c.req.method, pathname + search, c.var.ctx.actor.label, c.req.header('content-type') ?? '', ''].join('\n'));
}

/** Hashes the body while its handler reads it. */
function passThrough(c: HonoContext<AppEnv>, hash: Hash): () => Buffer | undefined {
  let whole: Buffer | undefined = c.req.raw.body ? undefined : hash.copy().digest();
  if (c.req.raw.body) {
    const reader = c.req.raw.body.getReader();
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) {
          whole = hash.digest();
          controller.close();
        } else {
          hash.update(value);
          controller.enqueue(value);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
    c.req.raw = new Request(c.req.raw, { body, duplex: 'half' } as RequestInit);
  }
  return () => whole;
}

async function digestRest(c: HonoContext<AppEnv>, hash: Hash): Promise<Buffer> {
  if (c.req.raw.body) for await (const chunk of c.req.raw.body as unknown as AsyncIterable<Uint8Array>) hash.update(chunk);
  return hash.digest();
}

const warn = (ctx: Context, error: unknown): void =>
  ctx.log.warn({ requestId: ctx.requestId, code: (error as { code?: string }).code }, 'an idempotency key could not be kept');
