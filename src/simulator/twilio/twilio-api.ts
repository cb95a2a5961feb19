import { randomBytes } from 'node:crypto';
import { type Account, smsOf } from '#simulator/control.ts';
import { type Answer, json, type Reply, type Request } from '#simulator/http.ts';
import { type Fate, logged, refused } from '#simulator/fate.ts';
import type { World } from '#simulator/world.ts';
import { judge, sendReceipts } from './receipts.ts';
import { countSegments } from './segments.ts';
import { MAGIC_NUMBERS, twilioError } from './twilio-errors.ts';
import { messageJson, MessageStore, type TwilioMessage } from './twilio-message.ts';

const E164 = /^\+[1-9]\d{6,14}$/;
/** E.164, a short code, or up to 11 letters and digits. */
const SENDER = /^(\+[1-9]\d{6,14}|\d{3,8}|[A-Za-z0-9 ]{1,11})$/;
/** Stands for the number that a Messaging Service picks; it is Twilio's own test number. */
const SERVICE_NUMBER = '+15005550006';
const MAX_BODY = 1600;

/** The Messages resource of Twilio's API, and the memory of what was sent. */
export class TwilioApi {
  readonly store = new MessageStore();
  /** `sender person` pairs that said STOP. */
  readonly optedOut = new Set<string>();
  readonly #world: World;
  readonly #doors: readonly { account: Account; authorization: string; base: string }[];
  /** Numbers that the second account has called from, which makes them its own. */
  readonly #ofSecond = new Set<string>();
  /** Message ids are unique over restarts, since the prefix is random and the rest counts. */
  readonly #sidPrefix = randomBytes(10).toString('hex');
  #sids = 0;

  constructor(world: World) {
    this.#world = world;
    this.#doors = world.installation.accounts.map(({ accountSid, authToken }, i) => ({
      account: i === 0 ? 1 : 2,
      authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`,
      base: `/2010-04-01/Accounts/${accountSid}/Messages`,
    }));
  }

  /** Forgets messages and who opted out. */
  forget(): void {
    this.store.clear();
    this.optedOut.clear();
    this.#ofSecond.clear();
  }

  /** The account that a number belongs to. */
  accountOf(number: string): Account {
    return this.#ofSecond.has(number) ? 2 : 1;
  }

  sidOf(account: Account): string {
    const { accounts } = this.#world.installation;
    return (accounts[account - 1] ?? accounts[0]).accountSid;
  }

  newSid(): string {
    this.#sids += 1;
    return `SM${this.#sidPrefix}${this.#sids.toString(16).padStart(12, '0')}`;
  }

  async handle(request: Request): Promise<Reply> {
    const door = this.#doors.find(({ authorization }) => authorization === request.headers.authorization);
    if (!door) return twilioError(20003);
    const { account, base } = door;
    if (request.path === `${base}.json`) {
      if (request.method === 'POST') return this.#create(new URLSearchParams(request.body.toString('utf8')), account);
      return request.method === 'GET' ? this.#list(request) : twilioError(20004);
    }
    const sid = request.path.startsWith(`${base}/`) ? /^\/(SM[0-9a-f]{32})\.json$/.exec(request.path.slice(base.length))?.[1] : undefined;
    const message = sid === undefined ? undefined : this.store.get(sid);
    if (!message) return twilioError(20404, request.path);
    return request.method === 'GET' ? json(200, messageJson(message)) : twilioError(20004);
  }

  async #create(form: URLSearchParams, account: Account): Promise<Reply> {
    const world = this.#world;
    const now = world.clock.now();
    const to = form.get('To') ?? '';
    const service = form.get('MessagingServiceSid');
    const from = form.get('From') ?? (service === null ? '' : SERVICE_NUMBER);
    const body = form.get('Body') ?? '';
    const callback = form.get('StatusCallback');
    const units = countSegments(body);
    if (account === 2) this.#ofSecond.add(from);
    const refusal = this.#refusal({ to, from, body, callback });
    const fate: Fate = refusal === undefined ? world.fates.draw(world.behaviour, world.chance, { channel: 'sms', to, from, units, account }) : refused(refusal);
    const message: TwilioMessage | undefined = fate.taken
      ? {
          sid: this.newSid(),
          accountSid: this.sidOf(account),
          account,
          serviceSid: service,
          direction: 'outbound-api',
          from,
          to,
          body,
          segments: units,
          callbackUrl: callback ?? undefined,
          createdAt: now,
          sentAt: null,
          updatedAt: now,
          status: 'queued',
          errorCode: null,
        }
      : undefined;
    await world.calls.append({
      at: new Date(now).toISOString(),
      channel: 'sms',
      to,
      ref: lastSegment(callback),
      from,
      ...(account === 2 ? { account } : {}),
      sid: message?.sid ?? '',
      ...logged(fate),
      body,
      units,
    });
    // The answer shows the message as it was when it was made, so it is written before receipts can move it on.
    const answer = this.#answer(fate, message, { to, from, callback, account });
    if (message) await this.#carry(message);
    await world.agenda.wait(fate.latencyMs);
    return answer;
  }

  /** Twilio's own checks, in its order; undefined when there is nothing against the message. */
  #refusal(message: { to: string; from: string; body: string; callback: string | null }): number | undefined {
    if (message.to === '') return 21604;
    if (message.from === '') return 21603;
    if (message.body === '') return 21602;
    if (message.body.length > MAX_BODY) return 21617;
    if (!E164.test(message.to)) return 21211;
    if (!SENDER.test(message.from)) return 21212;
    if (message.callback !== null && !URL.canParse(message.callback)) return 21609;
    if (this.optedOut.has(`${message.from} ${message.to}`)) return 21610;
    return MAGIC_NUMBERS[message.to];
  }

  #answer(fate: Fate, message: TwilioMessage | undefined, asked: { to: string; from: string; callback: string | null; account: Account }): Reply {
    const { to, from, callback } = asked;
    const { retryAfterSeconds, errorStatus } = smsOf(this.#world.behaviour, asked.account);
    switch (fate.outcome) {
      case 'silent':
      case 'cut':
        return fate.outcome;
      case 'throttled':
        return twilioError(20429, '', retryAfterSeconds === null ? {} : { 'retry-after': String(retryAfterSeconds) });
      case 'error':
        return serverError(errorStatus);
      case 'refused': {
        const code = Number(fate.code);
        return twilioError(code, code === 21212 || code === 21606 ? from : code === 21609 ? (callback ?? '') : to);
      }
      case 'accepted':
        return message ? json(201, messageJson(message)) : serverError(500);
    }
  }

  /** From here on the carrier has the message: it sends receipts and reaches the person's phone. */
  async #carry(message: TwilioMessage): Promise<void> {
    const world = this.#world;
    this.store.add(message);
    const verdict = judge(world, message);
    if (verdict.final === 'delivered' || verdict.final === 'none') {
      world.outbox.add(message.to, { at: message.createdAt, channel: 'sms', direction: 'in', other: message.from, text: () => message.body });
      if (world.people.awake)
        world.agenda.after(verdict.early ? 0 : verdict.delayMs, () =>
          world.people.arrived({ channel: 'sms', to: message.to, from: message.from, text: message.body }),
        );
    }
    await sendReceipts(world, message, verdict);
  }

  /** Filters To, From, DateSent (a day in GMT, with < and > as suffix of the name), PageSize, Page. */
  #list(request: Request): Answer {
    const { query } = request;
    const size = Math.min(1000, Math.max(1, Number(query.get('PageSize') ?? 50) || 50));
    const page = Math.max(0, Number(query.get('Page') ?? 0) || 0);
    const from = query.get('From');
    const fits = (message: TwilioMessage): boolean =>
      (from === null || message.from === from) &&
      [...query].every(([name, value]) => {
        if (!/^DateSent[<>]?$/.test(name)) return true;
        const day = new Date(message.sentAt ?? message.createdAt).toISOString();
        const at = value.length <= 10 ? day.slice(0, 10) : day;
        return name === 'DateSent' ? day.startsWith(value.slice(0, 10)) : name.endsWith('<') ? at <= value : at >= value;
      });
    const all = this.store.list(query.get('To')).filter(fits);
    const items = all.slice(page * size, (page + 1) * size);
    const uri = (n: number): string => {
      const next = new URLSearchParams(query);
      next.set('Page', String(n));
      next.set('PageSize', String(size));
      return `${request.path}?${next}`;
    };
    return json(200, {
      first_page_uri: uri(0),
      end: page * size + Math.max(0, items.length - 1),
      previous_page_uri: page > 0 ? uri(page - 1) : null,
      messages: items.map(messageJson),
      uri: uri(page),
      page_size: size,
      start: page * size,
      next_page_uri: (page + 1) * size < all.length ? uri(page + 1) : null,
      page,
    });
  }
}

const serverError = (status: number): Answer => ({ ...twilioError(status === 503 ? 20503 : 20500), status });

/** The caller's own reference: the last path segment of its callback address. */
function lastSegment(callback: string | null): string {
  if (callback === null || !URL.canParse(callback)) return '';
  return new URL(callback).pathname.split('/').at(-1) ?? '';
}
