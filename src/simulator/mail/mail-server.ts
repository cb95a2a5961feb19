import type { AddressInfo, Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerError, type SMTPServerSession } from 'smtp-server';
import { unescapeMarkup } from '#platform/escape.ts';
import { errorCode } from '#simulator/error-code.ts';
import { type Account, emailOf } from '#simulator/control.ts';
import type { Fate } from '#simulator/fate.ts';
import type { World } from '#simulator/world.ts';
import type { Bouncer } from './bounce.ts';
import { decodeWords, readHeaders } from './mail-headers.ts';

const MAX_MAIL_BYTES = 10 * 1024 * 1024;

type Callback = (error?: Error | null, message?: string) => void;

interface Recipient {
  readonly to: string;
  readonly fate: Fate;
}

const refusal = (code: number, text: string): SMTPServerError => Object.assign(new Error(text), { responseCode: code });

/** The mail relay: one transaction is one call for each of its recipients. */
export class MailServer {
  readonly #world: World;
  readonly #bouncer: Bouncer;
  readonly #account: Account;
  readonly #server: SMTPServer;
  readonly #recipients = new WeakMap<SMTPServerSession, Recipient[]>();
  readonly #sockets = new Map<number, Socket>();

  constructor(world: World, bouncer: Bouncer, account: Account = 1) {
    this.#world = world;
    this.#account = account;
    this.#bouncer = bouncer;
    this.#server = new SMTPServer({
      name: 'simulator.test',
      banner: 'Muster simulator',
      size: MAX_MAIL_BYTES,
      logger: false,
      disabledCommands: ['STARTTLS'],
      // Any user name and password are taken, and a client without them too.
      authOptional: true,
      allowInsecureAuth: true,
      authMethods: ['PLAIN', 'LOGIN'],
      onAuth: (auth, _session, done) => done(null, { user: auth.username ?? '' }),
      disableReverseLookup: true,
      socketTimeout: 600_000,
      closeTimeout: 100,
      onMailFrom: (_address, session, done) => {
        this.#recipients.set(session, []);
        done();
      },
      onRcptTo: (address, session, done) => void this.#recipient(address.address, session, done),
      onData: (stream, session, done) => void this.#data(stream, session, done),
    });
    // Clients may vanish at any time, which is no fault.
    this.#server.on('error', (error: Error) => this.#world.log.debug({ code: errorCode(error) }, 'a mail connection ended with an error'));
    this.#server.server.on('connection', (socket: Socket) => {
      const port = socket.remotePort ?? 0;
      this.#sockets.set(port, socket);
      socket.once('close', () => this.#sockets.delete(port));
    });
  }

  /** @returns the port */
  listen(port: number, host: string): Promise<number> {
    return new Promise((done, fail) => {
      this.#server.server.once('error', fail);
      this.#server.listen(port, host, () => done((this.#server.server.address() as AddressInfo).port));
    });
  }

  close(): Promise<void> {
    for (const socket of this.#sockets.values()) socket.destroy();
    return new Promise((done) => this.#server.close(() => done()));
  }

  async #recipient(address: string, session: SMTPServerSession, done: Callback): Promise<void> {
    const to = address.toLowerCase();
    const world = this.#world;
    const from = senderOf(session);
    const fate = world.fates.draw(world.behaviour, world.chance, { channel: 'email', to, from: domainOf(from), units: 1, account: this.#account });
    if (fate.outcome !== 'refused' && fate.outcome !== 'throttled') {
      this.#recipients.get(session)?.push({ to, fate });
      return done();
    }
    const [code, text] = fate.outcome === 'throttled' ? ['421', '4.7.0 Too many messages, slow down'] : splitReply(String(fate.code));
    try {
      await world.calls.append({
        at: this.#now(),
        channel: 'email',
        to,
        ref: refOf(from),
        from,
        ...(this.#account === 2 ? { account: 2 as const } : {}),
        sid: '',
        outcome: fate.outcome,
        taken: false,
        code: `${code} ${text}`,
      });
    } catch {
      return done(refusal(451, '4.3.0 The call log cannot be written'));
    }
    await world.agenda.wait(fate.latencyMs);
    done(refusal(Number(code), text));
  }

  async #data(stream: SMTPServerDataStream, session: SMTPServerSession, done: Callback): Promise<void> {
    // A client that goes away in the middle has handed over nothing, and nobody is left to answer.
    const raw = await collect(stream).catch(() => undefined);
    if (!raw) return;
    if (stream.sizeExceeded) return done(refusal(552, '5.3.4 The message is too big'));
    const recipients = this.#recipients.get(session) ?? [];
    const from = senderOf(session);
    const headers = readHeaders(raw);
    const messageId = headers.get('message-id') ?? '';
    const sid = randomBytes(8).toString('hex');
    try {
      await Promise.all(
        recipients.map(({ to, fate }) =>
          this.#world.calls.append({
            at: this.#now(),
            channel: 'email',
            to,
            ref: refOf(from) || messageId,
            from,
            ...(this.#account === 2 ? { account: 2 as const } : {}),
            sid: fate.taken ? sid : '',
            outcome: fate.outcome,
            taken: fate.taken,
            subject: decodeWords(headers.get('subject') ?? ''),
            messageId,
            bytes: raw.length,
          }),
        ),
      );
    } catch {
      return done(refusal(451, '4.3.0 The call log cannot be written'));
    }
    for (const { to, fate } of recipients) if (fate.taken) this.#carry(to, from, raw, headers);
    await this.#world.agenda.wait(Math.max(0, ...recipients.map(({ fate }) => fate.latencyMs)));
    const outcomes = new Set(recipients.map(({ fate }) => fate.outcome));
    if (outcomes.has('silent')) return;
    if (outcomes.has('cut')) return void this.#sockets.get(session.remotePort)?.destroy();
    if (outcomes.has('error')) return done(refusal(451, '4.3.0 Internal error, try again'));
    done(null, `2.0.0 Ok: queued as ${sid}`);
  }

  #carry(to: string, returnPath: string, raw: Buffer, headers: ReadonlyMap<string, string>): void {
    const world = this.#world;
    const arrivedAt = world.clock.now();
    if (this.#bouncer.bounces(to)) {
      const header = raw.toString('latin1', 0, Math.max(0, raw.indexOf('\r\n\r\n')));
      world.agenda.after(1000 * emailOf(world.behaviour, this.#account).bounceDelaySeconds, () =>
        this.#bouncer.send({ returnPath, to, messageId: headers.get('message-id') ?? '', arrivedAt, header }),
      );
      return;
    }
    let parsed: Promise<ParsedMail> | undefined;
    const text = async (): Promise<string> => {
      parsed ??= simpleParser(raw, { skipHtmlToText: false, skipImageLinks: true });
      return readable(await parsed);
    };
    world.outbox.add(to, {
      at: arrivedAt,
      channel: 'email',
      direction: 'in',
      other: headers.get('from') ?? returnPath,
      subject: decodeWords(headers.get('subject') ?? ''),
      text,
    });
    if (!world.people.awake) return;
    const oneClick = /one-click/i.test(headers.get('list-unsubscribe-post') ?? '');
    const oneClickUrl = oneClick ? /<(https?:[^>]+)>/.exec(headers.get('list-unsubscribe') ?? '')?.[1] : undefined;
    world.agenda.after(0, () =>
      text().then(
        (words) => world.people.arrived({ channel: 'email', to, from: returnPath, text: words, oneClickUrl }),
        () => world.log.warn('a mail could not be parsed'),
      ),
    );
  }

  #now(): string {
    return new Date(this.#world.clock.now()).toISOString();
  }
}

const senderOf = (session: SMTPServerSession): string => (session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address);
const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1).toLowerCase();
/** What stands between + and @ in the return path. */
const refOf = (returnPath: string): string => /\+([^@]+)@/.exec(returnPath)?.[1] ?? '';

/** `550 5.1.1 No such mailbox` -> code and text. */
function splitReply(reply: string): [string, string] {
  const [, code = '550', text = '5.0.0 Refused'] = /^([45]\d\d) (.+)$/.exec(reply) ?? [];
  return [code, text];
}

/** The plain part, and the addresses of links that only the HTML part has. */
function readable(mail: ParsedMail): string {
  const text = mail.text ?? '';
  const links = [...(mail.html || '').matchAll(/href="([^"]+)"/g)].map(([, link = '']) => unescapeMarkup(link));
  return [text, ...links.filter((link) => !text.includes(link))].join('\n');
}

async function collect(stream: SMTPServerDataStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // Bytes beyond the size are read and dropped, so that the refusal can be sent.
  for await (const chunk of stream as AsyncIterable<Buffer>) if (stream.byteLength <= MAX_MAIL_BYTES) chunks.push(chunk);
  return Buffer.concat(chunks);
}
