import webpush from 'web-push';
import { BoundedMap } from '#domain/bounded-map.ts';
import type { Clock } from '#platform/clock.ts';
import { MAX_ORIGINS, VAPID_LIFE_SECONDS } from './constants.ts';

export interface VapidKeys {
  /** 65 bytes, URL-safe base64. */
  readonly publicKey: string;
  /** 32 bytes, URL-safe base64. */
  readonly privateKey: string;
  /** A mailto: or https: URL. */
  readonly subject: string;
}

/**
 * Makes the `Authorization` for one push service's origin (RFC 8292). web-push would sign at every call, which takes about 200 us.
 * A signature that is kept for half of its life costs nothing.
 */
export function createVapid(keys: VapidKeys, clock: Clock): (origin: string) => string {
  const cache = new BoundedMap<string, { header: string; renewAt: number }>(MAX_ORIGINS);
  return (origin) => {
    const now = clock.now();
    const known = cache.get(origin);
    if (known && now < known.renewAt) return known.header;
    const expires = Math.floor(now / 1000) + VAPID_LIFE_SECONDS;
    const header = webpush.getVapidHeaders(origin, keys.subject, keys.publicKey, keys.privateKey, 'aes128gcm', expires).Authorization;
    cache.set(origin, { header, renewAt: now + (VAPID_LIFE_SECONDS * 1000) / 2 });
    return header;
  };
}
