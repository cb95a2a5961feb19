import SMTPConnection, { type SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection';
import type { Stage } from './codes.ts';
import { QUIT_MS } from './constants.ts';
import { Conversation } from './conversation.ts';
import type { SmtpFailure, Transaction } from './mail.ts';
import { enhancedCode, REPLY } from './reply-reader.ts';

export interface Credentials {
  readonly user: string;
  readonly pass: string;
}

export interface SessionEvents {
  /** Gives another mail for this connection. Undefined: none is waiting, or the connection has had enough. */
  next(session: SmtpSession): Transaction | undefined;
  idle(session: SmtpSession): void;
  /** Is called once, before the mails that were under way are told. */
  dead(session: SmtpSession): void;
}

interface SmtpError {
  readonly code?: string | undefined;
  readonly originalCode?: string | undefined;
  readonly response?: string | undefined;
}

function failureOf({ code, originalCode, response }: SmtpError, stage: Stage): SmtpFailure {
  if (!response) return { stage, reply: 0, enhanced: undefined, code: originalCode ?? code ?? 'ERROR' };
  // nodemailer takes any number that stands first for a code. "999" would be a refusal of our login, and stop the sender.
  const reply = REPLY.exec(response);
  if (!reply) return { stage, reply: 0, enhanced: undefined, code: 'EPROTOCOL' };
  return { stage, reply: Number(reply[1]), enhanced: enhancedCode(response), code: code ?? 'ERROR' };
}

/** One connection to the relay. nodemailer connects, secures and signs in, and a `Conversation` sends the mails. */
export class SmtpSession {
  readonly #connection: SMTPConnection;
  readonly #credentials: Credentials | undefined;
  readonly #events: SessionEvents;
  #conversation: Conversation | undefined;
  /** How many mails were given to it. */
  given = 0;
  dead = false;

  constructor(options: SMTPConnectionOptions, credentials: Credentials | undefined, events: SessionEvents) {
    this.#credentials = credentials;
    this.#events = events;
    this.#connection = new SMTPConnection(options);
    // An idle connection may break at any time.
    this.#connection.on('error', (error: SmtpError) => this.#die(error.originalCode ?? error.code ?? 'ERROR'));
    this.#connection.on('end', () => this.#die('ECONNECTION'));
  }

  #die(code: string): void {
    if (this.dead) return;
    this.dead = true;
    this.#events.dead(this);
    this.#conversation?.end(code);
  }

  /** Connects, says EHLO, upgrades to TLS and signs in. @returns what went wrong, if anything */
  async open(deadlineMs: number): Promise<SmtpFailure | undefined> {
    const late = Promise.withResolvers<SmtpFailure>();
    const timer = setTimeout(() => late.resolve({ stage: 'connect', reply: 0, enhanced: undefined, code: 'DEADLINE' }), deadlineMs);
    const failure = await Promise.race([late.promise, this.#open()]);
    clearTimeout(timer);
    if (failure) this.close();
    return failure;
  }

  async #open(): Promise<SmtpFailure | undefined> {
    const unable = await this.#connect();
    if (unable) return unable;
    // This is what the relay said last, after STARTTLS too.
    const ehlo = this.#connection.lastServerResponse || '';
    const refused = this.#credentials && (await this.#login(this.#credentials));
    if (refused) return refused;
    const socket = this.#connection._socket;
    if (!socket || this.dead) return failureOf({ code: 'ECONNECTION' }, 'connect');
    socket.removeAllListeners('data');
    this.#conversation = new Conversation({
      socket,
      ehlo,
      next: () => this.#counted(this.#events.next(this)),
      idle: () => this.#events.idle(this),
      over: () => this.close(),
    });
    return undefined;
  }

  #connect(): Promise<SmtpFailure | undefined> {
    return new Promise((done) => {
      const fail = (error: SmtpError): void => done(failureOf(error, 'connect'));
      const ended = (): void => fail({ code: 'ECONNECTION' });
      this.#connection.once('error', fail).once('end', ended);
      this.#connection.connect((error) => {
        this.#connection.off('error', fail).off('end', ended);
        done(error ? failureOf(error, 'connect') : undefined);
      });
    });
  }

  #login({ user, pass }: Credentials): Promise<SmtpFailure | undefined> {
    return new Promise((done) => {
      const fail = (error: SmtpError): void => done(failureOf(error, 'login'));
      const ended = (): void => fail({ code: 'ECONNECTION' });
      this.#connection.once('error', fail).once('end', ended);
      this.#connection.login({ credentials: { user, pass } }, (error) => {
        this.#connection.off('error', fail).off('end', ended);
        done(error ? failureOf(error, 'login') : undefined);
      });
    });
  }

  #counted(transaction: Transaction | undefined): Transaction | undefined {
    if (transaction) this.given++;
    return transaction;
  }

  /** Sends a mail on an idle connection. */
  start(transaction: Transaction): void {
    this.given++;
    if (this.#conversation && !this.dead) this.#conversation.start(transaction);
    else transaction.fail('ECONNECTION');
  }

  /** Ends the connection, politely when it is idle. A relay that does not answer is hung up on. */
  quit(): void {
    if (this.dead) return;
    this.#conversation?.quit();
    setTimeout(() => this.close(), QUIT_MS).unref();
  }

  close(): void {
    this.#connection.close();
    this.#die('ECONNECTION');
  }
}
