import webpush from 'web-push';
import { BoundedMap } from '#domain/bounded-map.ts';
import type { Clock } from '#platform/clock.ts';
import { MAX_ORIGINS, VAPID_LIFE_SECONDS } from './constants.ts';

export interface VapidKeys {
  /** 65 bytes, URL-safe base64. */
  readonly publicKey: string;
  /** 32 bytes, URL-safe base64. */
  readonly privateKey: string;
  /** mailto: or https: */
  readonly subject: string;
}

/**
 * `Authorization` for one push service's origin (RFC 8292). web-push signs at every call (about 200 us); signed once
 * and kept for half of its life it costs nothing.
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
