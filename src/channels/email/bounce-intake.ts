import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import type { Log } from '#platform/log.ts';
import { INTAKE } from './constants.ts';
import { type Bounce, readReport } from './dsn.ts';

export interface BounceIntakeOptions {
  /** 0: any free port. */
  readonly port: number;
  readonly host: string;
  /** When it rejects, the sender's relay tries again later, so that nothing is lost while the database is away. */
  onBounce(ref: string, bounce: Bounce): Promise<void>;
  /** Whether we ever gave out this reference; a forged one is refused at RCPT. Without this every well-formed one is taken. */
  accepts?(ref: string): boolean;
  readonly log: Log;
}

export interface BounceIntake {
  readonly port: number;
  /** How many mails came of each kind. */
  readonly counts: Readonly<Record<'bounces' | 'ignored' | 'unreadable' | 'refused', number>>;
  close(): Promise<void>;
}

/** The local part that the envelope of every message has: `bounce+` and a token of 34 characters. */
const RETURN_PATH = /^bounce\+([0-9a-z]{2}[0-9a-f]{32})@/i;

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

/** Starts a small SMTP server for the return path, which takes mail to `bounce+<ref>@…` alone and reads DSNs (RFC 3464). */
export async function startBounceIntake(options: BounceIntakeOptions): Promise<BounceIntake> {
  const counts = { bounces: 0, ignored: 0, unreadable: 0, refused: 0 };
  const refOf = (address: string): string | undefined => {
    const ref = RETURN_PATH.exec(address)?.[1]?.toLowerCase();
    return ref !== undefined && (options.accepts?.(ref) ?? true) ? ref : undefined;
  };

  const take = async (stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> => {
    const raw = await buffer(stream);
    if (stream.sizeExceeded) throw refused(552, 'Message too large');
    const report = await readReport(raw);
    if (typeof report === 'string') {
      counts[report]++;
      if (report === 'unreadable') options.log.info({ unreadable: counts.unreadable }, 'mail to the return path is no delivery report');
      return;
    }
    for (const { address } of session.envelope.rcptTo) {
      const ref = refOf(address);
      if (ref !== undefined) await options.onBounce(ref, report);
    }
    counts.bounces++;
  };

  const server = new SMTPServer({
    ...SETTINGS,
    onRcptTo({ address }, _session, done) {
      if (refOf(address) !== undefined) return done();
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
