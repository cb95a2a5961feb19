import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { CliConfig } from '#platform/cli-config.ts';

/** The API refused a request; its words and fields are for the person at the terminal. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: readonly { field: string; detail: string }[];
  constructor(status: number, problem: { code?: string; detail?: string; errors?: { field: string; detail: string }[] }) {
    super(problem.detail ?? `The API answered ${status}.`);
    this.status = status;
    this.code = problem.code ?? String(status);
    this.errors = problem.errors ?? [];
  }
}

/** Nobody answers at the address. */
export class Unreachable extends Error {}

export interface ApiRequest {
  method?: 'GET' | 'POST';
  json?: unknown;
  /** A body that is sent as it is, such as a file that streams. */
  body?: ReadableStream<Uint8Array>;
  type?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

const TRIES = 4;

export interface Api {
  readonly url: string;
  call(path: string, request?: ApiRequest): Promise<Response>;
  json<T>(path: string, request?: ApiRequest): Promise<T>;
}

/**
 * The API with its key. Each POST carries an Idempotency-Key, so that a POST whose answer was lost can be repeated safely; a
 * streamed body is sent only once.
 */
export function openApi({ api, key }: CliConfig): Api {
  async function once(path: string, request: ApiRequest, idempotencyKey: string | undefined): Promise<Response> {
    const { method = 'GET', json, body, type, headers, signal } = request;
    const init: RequestInit & { duplex?: 'half' } = {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(type === undefined ? {} : { 'content-type': type }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(body === undefined ? {} : { body, duplex: 'half' }),
      ...(signal === undefined ? {} : { signal }),
    };
    try {
      return await fetch(api + path, init);
    } catch (error) {
      if (signal?.aborted) throw error;
      const { cause } = error as { cause?: { code?: string; message?: string } };
      throw new Unreachable(`Cannot reach ${api}: ${cause?.code ?? cause?.message ?? (error as Error).message}`, { cause: error });
    }
  }

  async function call(path: string, request: ApiRequest = {}): Promise<Response> {
    const idempotencyKey = request.method === 'POST' ? randomUUID() : undefined;
    const tries = request.body === undefined ? TRIES : 1;
    for (let attempt = 1; ; attempt++) {
      const response = await once(path, request, idempotencyKey).catch(async (error: unknown) => {
        // Nobody heard a connection that was refused, so there is nothing to wait for.
        if (attempt === tries || !(error instanceof Unreachable) || /ECONNREFUSED|ENOTFOUND/.test(error.message)) throw error;
        return undefined;
      });
      if (response?.ok) return response;
      const waits = response === undefined || response.status === 503 || (response.status === 409 && response.headers.has('retry-after'));
      if (!waits || attempt === tries) {
        if (response === undefined) throw new Unreachable(`Cannot reach ${api}`);
        throw new Refusal(response.status, (await response.json().catch(() => ({}))) as { detail?: string });
      }
      await delay(Math.min(Number(response?.headers.get('retry-after') ?? 1), 5) * 1000);
    }
  }
  return { url: api, call, json: async <T>(path: string, request?: ApiRequest) => (await (await call(path, request)).json()) as T };
}
