import { createECDH, createHash, createHmac, type ECDH } from 'node:crypto';

/** What a browser's `PushSubscription.toJSON()` gives. */
export interface SubscriptionJson {
  readonly endpoint: string;
  readonly expirationTime: null;
  readonly keys: { readonly p256dh: string; readonly auth: string };
}

export interface SubscriptionKeys {
  readonly ecdh: ECDH;
  /** The auth secret, 16 bytes. */
  readonly auth: Buffer;
}

/**
 * Browsers' subscriptions. Each is made from its id alone and none is stored, so a simulator that was restarted still knows
 * those that it gave out, and a million of them cost nothing. An id is `<number>-<check>`, with `-<key>` behind it where the
 * subscription is bound to one application server (RFC 8292 section 4.2).
 */
export class Subscriptions {
  readonly #key: Buffer;

  constructor(seed: string) {
    this.#key = createHash('sha256').update(`muster simulator subscriptions ${seed}`).digest();
  }

  /** @param applicationServerKey URL-safe base64 of the VAPID public key that alone may send here */
  id(number: number, applicationServerKey?: string): string {
    const bound = applicationServerKey === undefined ? '' : `-${keyMark(applicationServerKey)}`;
    return `${number}-${this.#check(`${number}${bound}`)}${bound}`;
  }

  /** Whether this id was given out; `serverKeyMark` is what a bound one demands. */
  find(id: string): { serverKeyMark: string | undefined } | undefined {
    const [, number, check, mark] = /^(\d{1,9})-([0-9a-f]{16})(?:-([0-9a-f]{16}))?$/.exec(id) ?? [];
    if (number === undefined || check !== this.#check(mark === undefined ? number : `${number}-${mark}`)) return undefined;
    return { serverKeyMark: mark };
  }

  keys(id: string): SubscriptionKeys {
    const ecdh = createECDH('prime256v1');
    // A hash is a valid private key but for one chance in 2^32, and in that case the next hash is.
    for (let n = 0; ; n++) {
      try {
        ecdh.setPrivateKey(this.#derive(`private ${n}`, id));
        return { ecdh, auth: this.#derive('auth', id).subarray(0, 16) };
      } catch (error) {
        if (n > 3) throw error;
      }
    }
  }

  json(id: string, origin: string): SubscriptionJson {
    const { ecdh, auth } = this.keys(id);
    return { endpoint: `${origin}/push/${id}`, expirationTime: null, keys: { p256dh: ecdh.getPublicKey('base64url'), auth: auth.toString('base64url') } };
  }

  #check(text: string): string {
    return this.#derive('check', text).toString('hex', 0, 8);
  }

  #derive(purpose: string, text: string): Buffer {
    return createHmac('sha256', this.#key).update(`${purpose} ${text}`).digest();
  }
}

/** 64 bits that stand for an application server's key. */
export const keyMark = (publicKey: string): string => createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest('hex').slice(0, 16);
