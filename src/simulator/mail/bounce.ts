import { randomBytes } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { pick } from '#simulator/chance.ts';
import { errorCode } from '#simulator/error-code.ts';
import type { World } from '#simulator/world.ts';

const REASONS = [
  { status: '5.1.1', text: '550 5.1.1 The email account that you tried to reach does not exist' },
  { status: '5.1.1', text: '550 5.1.1 User unknown' },
  { status: '5.2.2', text: '552 5.2.2 Mailbox is full' },
] as const;

export interface Bounced {
  /** The envelope sender, to which the notice goes; no notice is sent where it is empty (RFC 5321 section 4.5.5). */
  readonly returnPath: string;
  readonly to: string;
  readonly messageId: string;
  readonly arrivedAt: number;
  /** The header of the message that came back. */
  readonly header: string;
}

/** A delivery status notification: multipart/report with a machine-readable part (RFC 3462, RFC 3464). */
export function dsnMail(bounced: Bounced, reason: { status: string; text: string }, at: number): string {
  const boundary = `report-${randomBytes(9).toString('hex')}`;
  const date = (ms: number): string => new Date(ms).toUTCString().replace('GMT', '+0000');
  return [
    'From: Mail Delivery System <MAILER-DAEMON@simulator.test>',
    `To: <${bounced.returnPath}>`,
    'Subject: Undelivered Mail Returned to Sender',
    `Date: ${date(at)}`,
    `Message-ID: <${randomBytes(12).toString('hex')}@simulator.test>`,
    ...(bounced.messageId === '' ? [] : [`In-Reply-To: ${bounced.messageId}`]),
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'This is the mail system at host simulator.test.',
    '',
    'Your message could not be delivered to one or more recipients.',
    '',
    `<${bounced.to}>: ${reason.text}`,
    '',
    `--${boundary}`,
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; simulator.test',
    `Arrival-Date: ${date(bounced.arrivedAt)}`,
    '',
    `Final-Recipient: rfc822; ${bounced.to}`,
    `Original-Recipient: rfc822;${bounced.to}`,
    'Action: failed',
    `Status: ${reason.status}`,
    'Remote-MTA: dns; mx.simulator.test',
    `Diagnostic-Code: smtp; ${reason.text}`,
    '',
    `--${boundary}`,
    'Content-Type: text/rfc822-headers',
    '',
    bounced.header,
    '',
    `--${boundary}--`,
    '',
  ].join('\r\n');
}

/** Sends bounce mails to the return path through the intake that Muster runs. */
export class Bouncer {
  readonly #world: World;
  readonly #transport: ReturnType<typeof connect> | undefined;

  constructor(world: World, smtpUrl: string | undefined) {
    this.#world = world;
    this.#transport = smtpUrl === undefined ? undefined : connect(smtpUrl);
  }

  /** Whether mail to this address comes back. */
  bounces(to: string): boolean {
    const { addresses, crowd } = this.#world.behaviour;
    return addresses[to]?.bounces ?? (crowd.bounceShare > 0 && this.#world.chance.of('bounce', to) < crowd.bounceShare);
  }

  async send(bounced: Bounced): Promise<void> {
    if (bounced.returnPath === '') return;
    if (!this.#transport) return this.#world.log.warn('a mail bounced, but BOUNCE_SMTP_URL does not say where bounces go');
    const reason = pick(REASONS, this.#world.chance.of('bounce reason', bounced.to)) ?? REASONS[0];
    try {
      await this.#transport.sendMail({ envelope: { from: false, to: bounced.returnPath }, raw: dsnMail(bounced, reason, this.#world.clock.now()) });
    } catch (error) {
      this.#world.log.warn({ code: errorCode(error) }, 'a bounce mail could not be handed over');
    }
  }

  close(): void {
    this.#transport?.close();
  }
}

const connect = (url: string) => createTransport({ url, pool: true, maxConnections: 4, ignoreTLS: true });
