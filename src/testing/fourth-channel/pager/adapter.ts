import { failureOutcome, type HttpReply, retryAfterMs } from '#channels/call.ts';
import { prepareTemplate, slotsAreClean } from '#channels/fill.ts';
import { HttpPool } from '#channels/http/pool.ts';
import { InFlight } from '#channels/in-flight.ts';
import type { ChannelAdapter, ShortTextContent } from '#domain/delivery/channel.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import { type Clock, systemClock } from '#platform/clock.ts';
import type { Log } from '#platform/log.ts';

const DEADLINE_MS = 10_000;
const CONNECTIONS = 4;

export interface PagerOptions {
  readonly url: string;
  readonly key: string;
  readonly callbackBase: string;
  readonly log: Log;
  readonly clock?: Clock;
  readonly deadlineMs?: number;
}

/** Codes of a refusal; any other is a plain one. */
const CODES: Readonly<Record<string, (code: string) => Outcome>> = {
  no_such_pager: (code) => ({ kind: 'rejected', code, addressInvalid: true }), // never was one
  pager_closed: (code) => ({ kind: 'gone', code, reason: 'no_mailbox' }), // its owner has given it back
  wrong_key: (code) => ({ kind: 'misconfigured', code, detail: 'The pager service refuses our key.' }),
};

/** Pages through `POST /pages`. The service calls back by the URL that each page names. */
export function createPagerAdapter(options: PagerOptions): ChannelAdapter<ShortTextContent> {
  const { origin, host } = new URL(options.url);
  const { clock = systemClock, deadlineMs = DEADLINE_MS } = options;
  const pool = new HttpPool({ origin, connections: CONNECTIONS, deadlineMs, keepAliveMs: 5_000, maxReplyBytes: 4_096 });
  const inFlight = new InFlight();
  const head = `POST /pages HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nAuthorization: Bearer ${options.key}\r\nContent-Length: `;
  return {
    channel: 'pager',
    concurrency: CONNECTIONS,
    prepare(content, sender) {
      const text = prepareTemplate(content.body);
      return {
        async send(target, recall) {
          if (inFlight.closing) return { outcome: { kind: 'retryable', code: 'closing' } };
          if (!slotsAreClean(target.slots)) return { outcome: { kind: 'rejected', code: 'bad_slot_value' } };
          const callback = `${options.callbackBase}/hooks/pager/receipts/${target.ref}`;
          // The pool counts characters as bytes.
          const page = Buffer.from(JSON.stringify({ from: sender.address, to: target.address, text: text(target.slots), callback })).toString('latin1');
          inFlight.begin();
          const reply = await pool.send(`${head}${page.length}\r\n\r\n${page}`, recall).finally(() => inFlight.end());
          return { outcome: reply.kind === 'failure' ? failureOutcome(reply) : outcomeOf(reply, clock.now()) };
        },
      };
    },
    async close() {
      await inFlight.drain(deadlineMs);
      pool.close();
    },
  };
}

function outcomeOf({ status, headers, body }: HttpReply, now: number): Outcome {
  const { id, code = `http_${status}` } = fieldsOf(body);
  if (status === 202 && id !== undefined) return { kind: 'accepted', providerId: id, units: 1 };
  if (status === 429) return { kind: 'throttled', code, retryAfterMs: retryAfterMs(headers['retry-after'], now, 1_000) };
  if (status < 400 || status >= 500) return { kind: 'unknown', code };
  return CODES[code]?.(code) ?? { kind: 'rejected', code };
}

function fieldsOf(body: string): { id?: string; code?: string } {
  try {
    return JSON.parse(body) as { id?: string; code?: string };
  } catch {
    return {};
  }
}
