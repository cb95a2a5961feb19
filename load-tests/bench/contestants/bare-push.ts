import { Pool } from 'undici';
import { CONCURRENCY, CONNECTIONS_PER_ORIGIN } from '#channels/push/constants.ts';
import { Encryption } from '#channels/push/encryption.ts';
import { preparePayload } from '#channels/push/payload.ts';
import { createVapid } from '#channels/push/vapid.ts';
import { systemClock } from '#platform/clock.ts';
import { type Contestant, type ContestantConfig, overConnections } from './contestant.ts';
import { contentOf, slotsOf, tokenOf } from './content.ts';
import { callFor } from './undici-call.ts';

/**
 * Encryption (Muster's own on threads, the best known here), VAPID signed once, undici's dispatch on
 * kept-open connections. As many in flight as Muster has.
 */
export async function barePush(config: ContestantConfig): Promise<Contestant> {
  const pool = new Pool(config.pushUrl, { connections: CONNECTIONS_PER_ORIGIN, pipelining: 1, keepAliveTimeout: 60_000 });
  const encryption = new Encryption(undefined, 0);
  const content = contentOf('push');
  const payload = preparePayload(content, 'http://127.0.0.1:10000/r/beacon');
  const headers = {
    'content-type': 'application/octet-stream',
    'content-encoding': 'aes128gcm',
    ttl: String(content.ttlSeconds),
    urgency: content.pushUrgency,
    topic: content.topic,
    authorization: createVapid({ ...config.vapid, subject: 'mailto:bench@bench.example' }, systemClock)(config.pushUrl),
  };
  return {
    send: (count) =>
      overConnections(count, CONCURRENCY, async (i) => {
        const keys = config.keys[i % config.keys.length];
        const plain = payload({ address: '', ref: tokenOf(i), slots: slotsOf(i) });
        const body = keys && plain && (await encryption.encrypt(plain, keys));
        if (!body) throw new Error('nothing to send');
        await callFor(pool, { path: `/push/${tokenOf(i)}`, headers, body });
      }),
    close: async () => {
      await Promise.all([pool.destroy(), encryption.close()]);
    },
  };
}
