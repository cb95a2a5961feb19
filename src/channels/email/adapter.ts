import { buffer } from 'node:stream/consumers';
import DKIM from 'nodemailer/lib/dkim';
import { parseConnectionUrl } from 'nodemailer/lib/shared';
import { NOT_CALLED } from '#channels/call.ts';
import { slotsAreClean } from '#channels/fill.ts';
import { InFlight } from '#channels/in-flight.ts';
import type { ChannelAdapter, MailContent, SenderIdentity, Target } from '#domain/delivery/channel.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import { type Clock, systemClock } from '#platform/clock.ts';
import type { Log } from '#platform/log.ts';
import { replyOutcome } from './codes.ts';
import { CONNECTIONS, DEADLINE_MS, RETRY_AFTER_MS, SIGNED_HEADERS } from './constants.ts';
import { parseSender, prepareMime } from './mime.ts';
import { SmtpPool } from './pool.ts';
import type { SmtpFailure } from './mail.ts';
import type { Credentials } from './session.ts';

export interface DkimKey {
  readonly domainName: string;
  readonly keySelector: string;
  /** PEM */
  readonly privateKey: string;
}

export interface EmailAdapterOptions {
  /** smtp://user:password@host:port, smtps://…; query options as nodemailer has them (requireTLS, ignoreTLS, tls.…). */
  readonly smtpUrl: string;
  /** From of senders that have no address of their own. */
  readonly mailFrom: string;
  /** Bounces go to bounce+<ref>@ this domain. */
  readonly returnDomain: string;
  /** Needed only where the relay does not sign. RSA costs about 1 ms a message. */
  readonly dkim?: DkimKey;
  readonly log: Log;
  readonly clock?: Clock;
  readonly connections?: number;
  readonly deadlineMs?: number;
}

/**
 * Sends e-mail through one relay, on connections that nodemailer opens and a `Conversation` uses. A message is built once for each
 * locale, and only its slots are filled for each person; nodemailer's own pool builds MIME each time, at 485-827 us.
 */
export function createEmailAdapter(options: EmailAdapterOptions): ChannelAdapter<MailContent> {
  const clock = options.clock ?? systemClock;
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const size = options.connections ?? CONNECTIONS;
  const pool = new SmtpPool({ ...connectionOptions(options.smtpUrl, deadlineMs), size, deadlineMs });
  const dkim = options.dkim && new DKIM({ ...options.dkim, headerFieldNames: SIGNED_HEADERS });
  const inFlight = new InFlight();

  const deliver = async (address: string, ref: string, message: string, recall: Recall | undefined): Promise<Outcome> => {
    inFlight.begin();
    try {
      const signed = dkim ? (await buffer(dkim.sign(message))).toString() : message;
      const result = await pool.send({ from: `bounce+${ref}@${options.returnDomain}`, to: address, message: signed, recall });
      return typeof result === 'string' ? { kind: 'accepted', providerId: queueId(result), units: 1 } : failureOutcome(result);
    } finally {
      inFlight.end();
    }
  };

  return {
    channel: 'email',
    // On each connection one mail is on its way, and the envelope of the next.
    concurrency: size * 2,
    prepare(content: MailContent, sender: SenderIdentity) {
      const from = parseSender(sender.address || options.mailFrom);
      if (!from) return { send: async () => ({ outcome: { kind: 'misconfigured', code: 'bad_sender', detail: 'The sender is no e-mail address.' } }) };
      const build = prepareMime(content, { fromHeader: from.header, returnDomain: options.returnDomain });
      return {
        async send(target: Target, recall?: Recall) {
          if (inFlight.closing) return { outcome: { kind: 'retryable', code: 'closing' } };
          if (!slotsAreClean(target.slots)) return { outcome: { kind: 'rejected', code: 'bad_slot_value' } };
          const built = build(target, clock.now());
          if ('refused' in built) return { outcome: { kind: 'rejected', code: built.refused, ...(built.addressInvalid ? { addressInvalid: true } : {}) } };
          return { outcome: await deliver(target.address, target.ref, built.message, recall) };
        },
      };
    },
    async close() {
      await inFlight.drain(deadlineMs);
      pool.close();
    },
  };
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[?::1\]?)$/;

function connectionOptions(
  smtpUrl: string,
  deadlineMs: number,
): { connection: ConstructorParameters<typeof SmtpPool>[0]['connection']; credentials: Credentials | undefined } {
  const { auth, direct: _direct, ...url } = parseConnectionUrl(smtpUrl);
  const timeouts = {
    connectionTimeout: deadlineMs,
    greetingTimeout: deadlineMs,
    socketTimeout: 10 * 60_000,
    dnsTimeout: deadlineMs,
    socketCloseTimeout: 1_000,
  };
  const credentials = auth && { user: String(auth.user ?? ''), pass: String(auth.pass ?? '') };
  // A password leaves this machine in the clear only where the URL says ignoreTLS.
  const requireTLS = credentials && !url.secure && !LOOPBACK.test(url.host ?? '') ? { requireTLS: true } : {};
  return { connection: { ...timeouts, ...('ignoreTLS' in url ? {} : requireTLS), ...url, logger: false }, credentials };
}

/** Whether it is a problem of certificates, which the operator must mend; a broken connection is none. */
const isCertificateTrouble = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code);

function failureOutcome({ stage, reply, enhanced, code }: SmtpFailure): Outcome {
  if (reply > 0) return replyOutcome(stage, reply, enhanced, RETRY_AFTER_MS);
  if (code === NOT_CALLED) return { kind: 'not_called', code: NOT_CALLED };
  if (stage === 'final') return { kind: 'unknown', code };
  if (code === 'EAUTH' || code === 'ENOAUTH') return { kind: 'misconfigured', code, detail: 'The mail relay offers no way to sign in that we know.' };
  if (isCertificateTrouble(code)) return { kind: 'misconfigured', code, detail: `The mail relay's certificate is not valid (${code}).` };
  // Without the final dot the relay must not accept (RFC 5321 section 4.1.1.4).
  return { kind: 'retryable', code };
}

/** The relay's name for the message, for its operator: Postfix, Exim and Sendmail each phrase it differently. */
const queueId = (response: string): string | null => /(?:queued as|id=|queued with id|ok) <?([\w.-]{4,100})/i.exec(response)?.[1] ?? null;
