import type { Hono } from 'hono';

const ORIGIN = 'http://127.0.0.1:8080';

/** A browser over `app.request`: it keeps cookies, sends Origin, follows redirects and fills forms. */
export class BrowserSession {
  readonly #app: Pick<Hono, 'request'>;
  cookie = '';

  constructor(app: Pick<Hono, 'request'>) {
    this.#app = app;
  }

  async #send(path: string, init: RequestInit, follow = true): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.cookie) headers.set('cookie', this.cookie);
    const response = await this.#app.request(`${ORIGIN}${path}`, { ...init, headers });
    const set = response.headers.get('set-cookie');
    if (set) this.cookie = /Max-Age=0/i.test(set) ? '' : (set.split(';', 1)[0] ?? '');
    const location = response.headers.get('location');
    return follow && response.status === 303 && location ? this.#send(location, {}) : response;
  }

  get(path: string, headers: Record<string, string> = {}, options: { follow?: boolean } = {}): Promise<Response> {
    return this.#send(path, { headers }, options.follow);
  }

  async text(path: string): Promise<string> {
    return (await this.get(path)).text();
  }

  /** Posts a form as the console's own page would, without the token unless it is given. */
  post(path: string, fields: Readonly<Record<string, string>>, options: { headers?: Record<string, string>; follow?: boolean } = {}): Promise<Response> {
    return this.#send(
      path,
      {
        method: 'POST',
        body: new URLSearchParams(fields).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: ORIGIN, 'sec-fetch-site': 'same-origin', ...options.headers },
      },
      options.follow,
    );
  }

  upload(path: string, form: FormData): Promise<Response> {
    return this.#send(path, { method: 'POST', body: form, headers: { origin: ORIGIN, 'sec-fetch-site': 'same-origin' } });
  }

  async signIn(email: string, password: string): Promise<void> {
    const response = await this.post('/sign-in', { email, password });
    if (!response.ok) throw new Error(`sign-in answered ${response.status}`);
  }

  /** The form token of the signed-in session. */
  async token(): Promise<string> {
    const token = /name="_csrf" value="([^"]+)"/.exec(await this.text('/settings'))?.[1];
    if (!token) throw new Error('the page holds no form token');
    return token;
  }
}
