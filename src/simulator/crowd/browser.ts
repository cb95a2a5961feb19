import { Agent, request } from 'undici';
import type { Log } from '#platform/log.ts';
import { errorCode } from '#simulator/error-code.ts';
import type { Form } from './page-forms.ts';

const PHONE = 'Mozilla/5.0 (Linux; Android 15; Mobile) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36 MusterSimulator';
const ROBOT = 'Mozilla/5.0 (compatible; LinkPreview/1.0; +https://simulator.test/robot) MusterSimulator';
const MAX_REDIRECTS = 4;

export interface Page {
  readonly status: number;
  readonly url: string;
  readonly html: string;
}

/** Fetches pages as a phone's browser without scripts does, over kept connections to the one installation. */
export class Browser {
  readonly #origin: string;
  readonly #log: Log;
  readonly #agent = new Agent({ connections: 32, pipelining: 1, keepAliveTimeout: 60_000, connect: { timeout: 3000 } });

  constructor(publicUrl: string, log: Log) {
    this.#origin = new URL(publicUrl).origin;
    this.#log = log;
  }

  /** Status 0 when nobody answers; never rejects. */
  get(url: string): Promise<Page> {
    return this.#fetch('GET', url, undefined, { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' });
  }

  /** Looks at a page as a link preview does, which never presses anything. */
  async preview(url: string): Promise<Page> {
    await this.#fetch('HEAD', url, undefined, { 'user-agent': ROBOT });
    return this.#fetch('GET', url, undefined, { 'user-agent': ROBOT });
  }

  /** Sends what scripts and service workers send. It asks for JSON; a body of fields goes as a form, any other as JSON. */
  script(method: 'GET' | 'POST', url: string, body?: URLSearchParams | object): Promise<Page> {
    const type = body instanceof URLSearchParams ? 'application/x-www-form-urlencoded' : 'application/json';
    const text = body === undefined ? undefined : body instanceof URLSearchParams ? body.toString() : JSON.stringify(body);
    const headers = { accept: 'application/json', 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };
    return this.#fetch(method, url, text, { ...headers, ...(text === undefined ? {} : { 'content-type': type }), origin: this.#origin });
  }

  /** Submits a form of a page. */
  submit(page: Page, form: Form, values: Readonly<Record<string, string>>): Promise<Page> {
    const url = new URL(form.action || page.url, page.url).href;
    return this.post(url, { ...form.fields, ...values }, page.url);
  }

  post(url: string, values: Readonly<Record<string, string>>, referrer?: string): Promise<Page> {
    return this.#fetch('POST', url, new URLSearchParams(values).toString(), {
      'content-type': 'application/x-www-form-urlencoded',
      ...(referrer === undefined
        ? {}
        : { origin: new URL(referrer).origin, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }),
    });
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #fetch(method: 'GET' | 'HEAD' | 'POST', url: string, body: string | undefined, headers: Record<string, string>, redirects = 0): Promise<Page> {
    if (!URL.canParse(url) || new URL(url).origin !== this.#origin) return { status: 0, url, html: '' };
    try {
      const answer = await request(url, {
        method,
        body: body ?? null,
        dispatcher: this.#agent,
        headersTimeout: 15_000,
        bodyTimeout: 15_000,
        headers: { 'user-agent': PHONE, accept: 'text/html,*/*;q=0.8', 'accept-language': 'en', ...headers },
      });
      const html = await answer.body.text();
      const { location } = answer.headers;
      if (answer.statusCode >= 300 && answer.statusCode < 400 && typeof location === 'string' && redirects < MAX_REDIRECTS)
        return await this.#fetch(method === 'HEAD' ? 'HEAD' : 'GET', new URL(location, url).href, undefined, {}, redirects + 1);
      return { status: answer.statusCode, url, html };
    } catch (error) {
      this.#log.debug({ code: errorCode(error) }, 'a page did not answer');
      return { status: 0, url, html: '' };
    }
  }
}
