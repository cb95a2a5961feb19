import { type Dispatcher, request } from 'undici';

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly body: T;
}

export interface CallOptions {
  /** API key. */
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Connections to use; undici's own unless given. */
  readonly dispatcher?: Dispatcher;
  readonly timeoutMs?: number;
}

/**
 * Sends one request as a program does: text goes as it is, anything else as JSON. An answer of JSON is parsed, any other is
 * text.
 */
export async function callApi<T>(method: string, url: string, body?: unknown, options: CallOptions = {}): Promise<Answer<T>> {
  const { key, headers, dispatcher, timeoutMs } = options;
  const raw = typeof body === 'string';
  const answer = await request(url, {
    method,
    ...(dispatcher === undefined ? {} : { dispatcher }),
    ...(timeoutMs === undefined ? {} : { headersTimeout: timeoutMs, bodyTimeout: timeoutMs }),
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, body: (String(answer.headers['content-type']).includes('json') ? JSON.parse(text) : text) as T };
}

/** The same for callers to whom everything but a 2xx is an error. */
export async function fromApi<T>(method: string, url: string, body?: unknown, options: CallOptions = {}): Promise<T> {
  const answer = await callApi<T>(method, url, body, options);
  if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 500)}`);
  return answer.body;
}
