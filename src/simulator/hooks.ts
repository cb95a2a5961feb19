import { createHmac, randomUUID } from 'node:crypto';
import { Agent, request } from 'undici';
import type { Log } from '#platform/log.ts';
import { errorCode } from './error-code.ts';

/** How many callbacks are under way at once; the rest waits, as with a real carrier. */
const CONCURRENCY = 64;

/** undici's errors which say that nobody listened, so that nothing was handed over. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT', 'ENOTFOUND']);

export interface TwilioAccount {
  readonly accountSid: string;
  readonly authToken: string;
}

export interface HookAnswer {
  /** HTTP status of the answer, 0 when nobody answered. */
  readonly status: number;
  readonly body: string;
}

/**
 * Twilio's signature: HMAC-SHA1 of the full URL followed by each parameter's name and value, sorted by name
 * (twilio.com/docs/usage/security, "Validating signatures").
 */
export function twilioSignature(authToken: string, url: string, params: Readonly<Record<string, string>>): string {
  const text = Object.keys(params)
    .sort()
    .reduce((sum, name) => sum + name + params[name], url);
  return createHmac('sha1', authToken).update(text, 'utf8').digest('base64');
}

/** Posts Twilio's webhooks over kept connections. */
export class Hooks {
  readonly #agent = new Agent({ connections: CONCURRENCY, pipelining: 1, keepAliveTimeout: 60_000, connect: { timeout: 3000 } });
  readonly #accounts: readonly TwilioAccount[];
  readonly #log: Log;
  #open = 0;

  constructor(accounts: readonly TwilioAccount[], log: Log) {
    this.#accounts = accounts;
    this.#log = log;
  }

  /** How many webhooks were handed in and are not answered yet. */
  get open(): number {
    return this.#open;
  }

  /**
   * Posts a webhook, signed with the token of the account that it names. It never rejects, and tries once more when nobody
   * listened. Any answer counts as delivered, also an error, as with Twilio.
   */
  async post(url: string, params: Readonly<Record<string, string>>): Promise<HookAnswer> {
    const authToken = this.#accounts.find(({ accountSid }) => accountSid === params['AccountSid'])?.authToken ?? '';
    const headers = {
      'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
      'user-agent': 'TwilioProxy/1.1',
      'x-twilio-signature': twilioSignature(authToken, url, params),
      'i-twilio-idempotency-token': randomUUID(),
    };
    const body = new URLSearchParams(params).toString();
    this.#open += 1;
    try {
      return await this.#once(url, headers, body);
    } catch (error) {
      if (!NOT_CONNECTED.has(errorCode(error))) return this.#failed(error);
      return await this.#once(url, headers, body).catch((again: unknown) => this.#failed(again));
    } finally {
      this.#open -= 1;
    }
  }

  async #once(url: string, headers: Record<string, string>, body: string): Promise<HookAnswer> {
    // Twilio's own limit for a webhook is 15 s.
    const answer = await request(url, { method: 'POST', headers, body, dispatcher: this.#agent, headersTimeout: 15_000, bodyTimeout: 15_000 });
    return { status: answer.statusCode, body: await answer.body.text() };
  }

  #failed(error: unknown): HookAnswer {
    this.#log.warn({ code: errorCode(error) }, 'a webhook was not answered');
    return { status: 0, body: '' };
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
