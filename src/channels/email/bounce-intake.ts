import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import type { Log } from '#platform/log.ts';
import { INTAKE } from './constants.ts';
import { readReport } from './read-report.ts';
import type { Report } from './report.ts';

export interface BounceIntakeOptions {
  /** 0: any free port. */
  readonly port: number;
  readonly host: string;
  /**
   * It is not called with `none`. When it rejects, the sender's relay tries again later, so that nothing is lost while the
   * database is away.
   */
  onBounce(ref: string, report: Report): Promise<void>;
  /** Whether we ever gave out this reference; a forged one is refused at RCPT. Without this every well-formed one is taken. */
  accepts?(ref: string): boolean;
  readonly log: Log;
}

export interface BounceIntake {
  readonly port: number;
  /** How many mails came, by what they were; `refused` counts recipients that are none of ours. */
  readonly counts: Readonly<Record<Report['kind'] | 'refused', number>>;
  close(): Promise<void>;
}

/** The local part that the envelope of every message has: `bounce+` and a token of 34 characters. */
const RETURN_PATH = /^bounce\+([0-9a-z]{2}[0-9a-f]{32})@/i;
/** Where a provider's feedback loop sends complaints: it names one address for all. */
const COMPLAINTS = /^complaints@/i;
/** In a complaint: our return path, which many reports have as Original-Mail-From, or our Message-ID. */
const OUR_MARK = /(?:bounce\+|message-id:\s*<)([0-9a-z]{2}[0-9a-f]{32})@/gi;

const SETTINGS: SMTPServerOptions = {
  name: 'muster',
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  size: INTAKE.maxBytes,
  rejectOversized: true,
  maxClients: INTAKE.maxClients,
  maxRecipients: 5,
  socketTimeout: INTAKE.socketTimeoutMs,
  closeTimeout: 1_000,
  logger: false,
};

const refused = (code: number, text: string): Error => Object.assign(new Error(text), { responseCode: code });

/**
 * Starts a small SMTP server for the return path, which takes mail to `bounce+<ref>@…` and complaints alone, and reads what it
 * says (read-report.ts).
 */
export async function startBounceIntake(options: BounceIntakeOptions): Promise<BounceIntake> {
  const counts = { failed: 0, delayed: 0, complaint: 0, none: 0, unread: 0, refused: 0 };
  const accepts = (ref: string): boolean => options.accepts?.(ref) ?? true;
  const refOf = (address: string): string | undefined => {
    const ref = RETURN_PATH.exec(address)?.[1]?.toLowerCase();
    return ref !== undefined && accepts(ref) ? ref : undefined;
  };

  const take = async (stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> => {
    const raw = await buffer(stream);
    if (stream.sizeExceeded) throw refused(552, 'Message too large');
    const { report, returned } = await readReport(raw);
    const refs = new Set(session.envelope.rcptTo.flatMap(({ address }) => refOf(address) ?? []));
    if (refs.size === 0) {
      // To the address for complaints: nobody reads there what is none.
      if (report.kind !== 'complaint') throw refused(550, '5.6.0 Only feedback reports (RFC 5965) are taken here');
      for (const [, ref = ''] of returned.matchAll(OUR_MARK)) if (accepts(ref.toLowerCase())) refs.add(ref.toLowerCase());
    }
    if (report.kind !== 'none') for (const ref of refs) await options.onBounce(ref, report);
    counts[report.kind]++;
    // What it says stays out of the log: it holds addresses.
    if (report.kind === 'unread') options.log.info({ unread: counts.unread }, 'a mail to the return path could not be read');
    if (refs.size === 0) options.log.info({}, 'a complaint names no message of ours');
  };

  const server = new SMTPServer({
    ...SETTINGS,
    onRcptTo({ address }, _session, done) {
      if (COMPLAINTS.test(address) || refOf(address) !== undefined) return done();
      counts.refused++;
      return done(refused(550, '5.1.1 No such address'));
    },
    onData(stream, session, done) {
      take(stream, session).then(
        () => done(),
        (error: Error) => {
          if ('responseCode' in error) return done(error);
          options.log.error({ err: { name: error.name } }, 'a bounce could not be recorded');
          return done(refused(451, '4.3.0 Try again later'));
        },
      );
    },
  });
  server.on('error', (error: Error) => options.log.warn({ err: { name: error.name } }, 'bounce intake'));
  const listening = Promise.withResolvers<void>();
  server.server.once('error', listening.reject);
  server.listen(options.port, options.host, listening.resolve);
  await listening.promise;
  return {
    port: (server.server.address() as AddressInfo).port,
    counts,
    close: () => new Promise((done) => server.close(done)),
  };
}
