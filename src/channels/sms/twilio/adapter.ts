import twilio from 'twilio';
import { failureOutcome, retryAfterMs } from '#channels/call.ts';
import { prepareTemplate, slotsAreClean } from '#channels/fill.ts';
import { HttpPool } from '#channels/http/pool.ts';
import { InFlight } from '#channels/in-flight.ts';
import type { ChannelAdapter, SenderIdentity, SendResult, ShortTextContent, Target } from '#domain/delivery/channel.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import { type Clock, systemClock } from '#platform/clock.ts';
import type { Log } from '#platform/log.ts';
import { refusalOutcome } from './codes.ts';
import { CONNECTIONS, DEADLINE_MS, KEEP_ALIVE_MS, MAX_REPLY_BYTES, RETRY_AFTER_MS, VALIDITY_SECONDS } from './constants.ts';
import { type CreatedMessage, type CreateOptions, createRequest, NoReply, Refused } from './http-client.ts';

export interface SmsAdapterOptions {
  readonly accountSid: string;
  readonly authToken: string;
  /** Base URL without a trailing slash; https://api.twilio.com or a stand-in, possibly with a path. */
  readonly apiUrl: string;
  /** Public base URL that Twilio calls back: `${callbackBase}/hooks/twilio/status/${target.ref}`. */
  readonly callbackBase: string;
  readonly log: Log;
  readonly clock?: Clock;
  readonly deadlineMs?: number;
  readonly connections?: number;
}

/**
 * Sends SMS through Twilio's Messages resource, which has no client-side deduplication key. So every outcome that is not
 * proven is `unknown`, and the status callback, whose URL carries our own reference, settles it later.
 */
export function createSmsAdapter(options: SmsAdapterOptions): ChannelAdapter<ShortTextContent> {
  const api = new URL(options.apiUrl);
  const connections = options.connections ?? CONNECTIONS;
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const clock = options.clock ?? systemClock;
  const pool = new HttpPool({ origin: api.origin, connections, deadlineMs, keepAliveMs: KEEP_ALIVE_MS, maxReplyBytes: MAX_REPLY_BYTES });
  const version = twilio(options.accountSid, options.authToken).api.v2010;
  version.request = createRequest(pool, {
    url: new URL(`${api.origin}${api.pathname.replace(/\/+$/, '')}/2010-04-01/Accounts/${options.accountSid}/Messages.json`),
    authorization: `Basic ${Buffer.from(`${options.accountSid}:${options.authToken}`).toString('base64')}`,
  });
  const uri = `/Accounts/${options.accountSid}/Messages.json`;
  const inFlight = new InFlight();

  /**
   * Calls the create that the SDK's `messages.create` ends in. The latter also makes date objects of three fields that nobody
   * reads and a copy of all others, which is 5 KB of garbage for each message.
   */
  const call = async (data: CreateOptions['data'], recall: Recall | undefined): Promise<SendResult> => {
    inFlight.begin();
    try {
      const request: CreateOptions = { uri, method: 'post', data, recall };
      const created = (await version.create(request)) as CreatedMessage | null;
      if (created === null || typeof created !== 'object') return { outcome: UNREADABLE };
      const { sid, num_segments } = created;
      return { outcome: { kind: 'accepted', providerId: typeof sid === 'string' && SID.test(sid) ? sid : null, units: segmentsOf(num_segments) } };
    } catch (error) {
      return { outcome: outcomeOf(error, clock.now(), options.log) };
    } finally {
      inFlight.end();
    }
  };

  return {
    channel: 'sms',
    concurrency: connections,
    prepare(content: ShortTextContent, sender: SenderIdentity) {
      const body = prepareTemplate(content.body);
      const origin = sender.address.startsWith('MG') ? { MessagingServiceSid: sender.address } : { From: sender.address };
      const validityPeriod = Math.min(Math.max(Math.floor(content.validitySeconds), VALIDITY_SECONDS.min), VALIDITY_SECONDS.max);
      return {
        send(target: Target, recall?: Recall): Promise<SendResult> {
          if (inFlight.closing) return Promise.resolve({ outcome: { kind: 'retryable', code: 'closing' } });
          if (!slotsAreClean(target.slots)) return Promise.resolve({ outcome: { kind: 'rejected', code: 'bad_slot_value' } });
          const StatusCallback = `${options.callbackBase}/hooks/twilio/status/${target.ref}`;
          return call({ To: target.address, Body: body(target.slots), StatusCallback, ValidityPeriod: validityPeriod, ...origin }, recall);
        },
      };
    },
    async close() {
      await inFlight.drain(deadlineMs);
      pool.close();
    },
  };
}

/** An id that no column takes would keep the outcomes of the whole slice from being written. */
const SID = /^[\x21-\x7e]{1,100}$/;
const MOST_SEGMENTS = 100;

function segmentsOf(told: unknown): number {
  const segments = Number(told);
  return Number.isInteger(segments) && segments >= 1 && segments <= MOST_SEGMENTS ? segments : 1;
}

/** The body of a 2xx is not a Message, so something between us and Twilio answered, which proves nothing. */
const UNREADABLE: Outcome = { kind: 'unknown', code: 'unreadable_reply' };

function outcomeOf(error: unknown, now: number, log: Log): Outcome {
  if (error instanceof NoReply) return failureOutcome(error);
  if (error instanceof Refused) {
    const { status, headers, body } = error.reply;
    const after = headers['retry-after'];
    const asked = after === undefined ? undefined : retryAfterMs(after, now, RETRY_AFTER_MS);
    return refusalOutcome({ status, code: providerCode(body) ?? `http_${status}`, retryAfterMs: asked }, RETRY_AFTER_MS);
  }
  if (error instanceof SyntaxError) return UNREADABLE;
  log.error({ err: error }, 'sms adapter failed');
  throw error;
}

/** Reads the numeric `code`, which both error shapes carry: `{code, message, status}` and RFC 9457. */
function providerCode(body: string): string | undefined {
  try {
    const { code } = JSON.parse(body) as { code?: unknown };
    return /^\d{1,9}$/.test(String(code)) ? String(code) : undefined;
  } catch {
    return undefined;
  }
}
