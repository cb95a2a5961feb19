import { randomBytes } from 'node:crypto';
import { type Fate, logged, refused } from '#simulator/fate.ts';
import type { Answer, Reply, Request } from '#simulator/http.ts';
import type { World } from '#simulator/world.ts';
import { decryptPush } from './decrypt.ts';
import { keyMark, type Subscriptions } from './subscriptions.ts';
import { VapidCheck } from './vapid.ts';

/** RFC 8030 section 7.2 says that at least 4096 bytes must be taken; the large push services take no more. */
const MAX_PAYLOAD = 4096;
const URGENCIES = new Set(['very-low', 'low', 'normal', 'high']);

const text = (status: number, body: string, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'text/plain', ...headers },
  body,
});

/** `POST /push/<subscription>`: takes messages as a browser maker's push service does. */
export class PushService {
  readonly subscriptions: Subscriptions;
  readonly #world: World;
  readonly #vapid = new VapidCheck();
  readonly #sidPrefix = randomBytes(8).toString('hex');
  #sids = 0;

  constructor(world: World, subscriptions: Subscriptions) {
    this.#world = world;
    this.subscriptions = subscriptions;
  }

  async handle(id: string, request: Request): Promise<Reply> {
    if (request.method !== 'POST') return text(405, 'only POST', { allow: 'POST' });
    const world = this.#world;
    const now = world.clock.now();
    const topic = header(request, 'topic');
    const ttl = header(request, 'ttl');
    const broken = this.#refusal(id, request, now);
    const fate: Fate = broken ? refused(broken.status) : world.fates.draw(world.behaviour, world.chance, { channel: 'push', to: id, from: '', units: 1 });
    this.#sids += 1;
    const sid = fate.taken ? `${this.#sidPrefix}${this.#sids.toString(16)}` : '';
    await world.calls.append({
      at: new Date(now).toISOString(),
      channel: 'push',
      to: id,
      ref: topic === undefined ? id : `${id}/${topic}`,
      from: '',
      sid,
      ...logged(fate),
      ...(topic === undefined ? {} : { topic }),
      urgency: header(request, 'urgency') ?? 'normal',
      ...(ttl === undefined ? {} : { ttl: Number(ttl) }),
      bytes: request.body.length,
    });
    if (fate.taken) this.#show(id, request.body, topic, now);
    await world.agenda.wait(fate.latencyMs);
    return broken ?? this.#answer(fate, sid, Number(ttl), request);
  }

  /** What is wrong with the request itself. */
  #refusal(id: string, request: Request, now: number): Answer | undefined {
    const known = this.subscriptions.find(id);
    if (!known) return text(404, 'no such subscription');
    const ttl = header(request, 'ttl');
    // RFC 8030 section 5.2 says that a missing TTL is answered 400.
    if (ttl === undefined || !/^\d{1,10}$/.test(ttl)) return text(400, 'TTL is missing or not a number of seconds');
    const topic = header(request, 'topic');
    if (topic !== undefined && !/^[A-Za-z0-9_-]{1,32}$/.test(topic)) return text(400, 'Topic must be 1 to 32 characters of URL-safe base64');
    const urgency = header(request, 'urgency');
    if (urgency !== undefined && !URGENCIES.has(urgency)) return text(400, 'Urgency must be very-low, low, normal or high');
    if (request.body.length > MAX_PAYLOAD) return text(413, 'the payload is larger than 4096 bytes');
    if (request.body.length > 0 && header(request, 'content-encoding') !== 'aes128gcm') return text(400, 'Content-Encoding must be aes128gcm (RFC 8291)');
    const verdict = this.#vapid.check(header(request, 'authorization'), originOf(request), now);
    if (!verdict.ok) return text(verdict.status, verdict.reason, verdict.status === 401 ? { 'www-authenticate': 'vapid' } : {});
    if (known.serverKeyMark !== undefined && known.serverKeyMark !== keyMark(verdict.publicKey))
      return text(403, 'the subscription belongs to another application server key');
    return undefined;
  }

  #answer(fate: Fate, sid: string, ttl: number, request: Request): Reply {
    const { retryAfterSeconds, errorStatus } = this.#world.behaviour.push;
    switch (fate.outcome) {
      case 'silent':
      case 'cut':
        return fate.outcome;
      case 'throttled':
        return text(429, 'too many requests', retryAfterSeconds === null ? {} : { 'retry-after': String(retryAfterSeconds) });
      case 'error':
        return text(errorStatus, 'server error');
      case 'refused':
        return text(Number(fate.code ?? 410), fate.code === 410 || fate.code === 404 ? 'the subscription is gone' : 'refused');
      case 'accepted':
        return { status: 201, headers: { location: `${originOf(request)}/push-messages/${sid}`, ttl: String(ttl) } };
    }
  }

  /** The browser shows the message. It is decrypted only for people who look or react, because a key agreement costs 100 us. */
  #show(id: string, body: Buffer, topic: string | undefined, at: number): void {
    const world = this.#world;
    const open = (): string => {
      try {
        return body.length === 0 ? '' : decryptPush(body, this.subscriptions.keys(id)).toString('utf8');
      } catch {
        world.log.warn('a push message could not be decrypted');
        return '';
      }
    };
    world.outbox.add(id, { at, channel: 'push', direction: 'in', other: '', text: () => readable(open()), ...(topic === undefined ? {} : { topic }) });
    if (world.people.awake)
      world.agenda.after(1000 * world.behaviour.push.displaySeconds, () => world.people.arrived({ channel: 'push', to: id, from: '', text: open() }));
  }
}

/** A declarative payload as the browser shows it; any other payload stays as it is. */
function readable(payload: string): string {
  try {
    const { notification } = JSON.parse(payload) as { notification?: { title?: string; body?: string; navigate?: string; actions?: { title?: string }[] } };
    if (!notification) return payload;
    const { title = '', body = '', navigate = '', actions = [] } = notification;
    return [title, body, actions.map((action) => `[${action.title ?? ''}]`).join(' '), navigate].filter(Boolean).join('\n');
  } catch {
    return payload;
  }
}

const header = (request: Request, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** The origin that the endpoint was given out with, which is the service's own address as the client calls it. */
const originOf = (request: Request): string => `http://${request.headers.host ?? ''}`;
