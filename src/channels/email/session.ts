import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import SMTPConnection, { type SMTPConnectionOptions, type SMTPEnvelope } from 'nodemailer/lib/smtp-connection';
import type { Stage } from './codes.ts';
import { QUIT_MS, RESET_MS } from './constants.ts';

export interface Credentials {
  readonly user: string;
  readonly pass: string;
}

/** How a step ended badly. `reply` 0: no words from the relay. */
export interface SmtpFailure {
  readonly stage: Stage;
  readonly reply: number;
  readonly enhanced: string | undefined;
  readonly code: string;
}

/** nodemailer's command words -> our stages. */
const COMMAND_STAGE: Readonly<Record<string, Stage>> = { 'MAIL FROM': 'sender', 'RCPT TO': 'recipient' };

interface SmtpError {
  readonly code?: string | undefined;
  readonly originalCode?: string | undefined;
  readonly command?: string | undefined;
  readonly response?: string | undefined;
  readonly responseCode?: number | undefined;
}

export function failureOf(error: SmtpError, stage: Stage): SmtpFailure {
  const reply = error.responseCode ?? 0;
  const named = reply > 0 ? COMMAND_STAGE[error.command ?? ''] : undefined;
  const enhanced = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(error.response ?? '')?.[1];
  return { stage: named ?? stage, reply, enhanced, code: error.originalCode ?? error.code ?? 'ERROR' };
}

/**
 * The message as nodemailer wants a stream: `pipe` is called when the relay has allowed DATA, and the target's `end`
 * event comes when everything up to the final dot was handed to the socket. Those two moments are the whole
 * difference between "certainly not accepted" and "unknown" (RFC 1047).
 */
class Body extends Readable {
  stage: Stage = 'data';
  readonly #message: string | Buffer;
  readonly #socket: Socket | false | null;

  constructor(message: string | Buffer, socket: Socket | false | null) {
    super();
    this.#message = message;
    this.#socket = socket;
  }

  override _read(): void {}

  override pipe<T extends NodeJS.WritableStream>(destination: T): T {
    this.stage = 'body';
    // nodemailer writes message and final dot apart. Held together they leave in one system call, a sixth of the
    // cost of a message; a long one must flow, since a corked socket never drains.
    const whole = this.#socket && this.#message.length * 2 < this.#socket.writableHighWaterMark ? this.#socket : undefined;
    whole?.cork();
    destination.once('end', () => {
      this.stage = 'final';
      whole?.uncork();
    });
    destination.end(this.#message);
    return destination;
  }
}

const within = <T>(ms: number, late: () => T, work: (done: (value: T) => void) => void): Promise<T> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(late()), ms);
    work((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });

/** One connection to the relay. Not for concurrent use. */
export class SmtpSession {
  readonly #connection: SMTPConnection;
  readonly #credentials: Credentials | undefined;
  #onDead: () => void = () => {};
  dead = false;
  sent = 0;

  constructor(options: SMTPConnectionOptions, credentials: Credentials | undefined) {
    this.#credentials = credentials;
    this.#connection = new SMTPConnection(options);
    // An idle connection may break at any time; whoever waits for an answer hears of it through its own callback.
    this.#connection.on('error', () => this.#die());
    this.#connection.on('end', () => this.#die());
  }

  set onDead(listener: () => void) {
    this.#onDead = listener;
  }

  #die(): void {
    if (this.dead) return;
    this.dead = true;
    this.#onDead();
  }

  /** Connects, says EHLO, upgrades to TLS and signs in. @returns what went wrong, if anything */
  async open(deadlineMs: number): Promise<SmtpFailure | undefined> {
    const connected = await within<SmtpFailure | undefined>(
      deadlineMs,
      () => ({ stage: 'connect', reply: 0, enhanced: undefined, code: 'DEADLINE' }),
      (done) => {
        const fail = (error: SmtpError) => done(failureOf(error, 'connect'));
        this.#connection.once('error', fail);
        this.#connection.once('end', () => fail({ code: 'ECONNECTION' }));
        this.#connection.connect((error) => {
          this.#connection.off('error', fail);
          if (error) return fail(error);
          return this.#credentials ? this.#login(this.#credentials, done) : done(undefined);
        });
      },
    );
    if (connected) this.close();
    return connected;
  }

  #login({ user, pass }: Credentials, done: (failure: SmtpFailure | undefined) => void): void {
    this.#connection.once('error', (error: SmtpError) => done(failureOf(error, 'login')));
    this.#connection.login({ credentials: { user, pass } }, (error) => done(error ? failureOf(error, 'login') : undefined));
  }

  /** @returns the relay's final words, or what went wrong */
  transact(envelope: SMTPEnvelope, message: string | Buffer, deadlineMs: number): Promise<string | SmtpFailure> {
    const body = new Body(message, this.#connection._socket);
    this.sent++;
    return within<string | SmtpFailure>(
      deadlineMs,
      () => ({ stage: body.stage, reply: 0, enhanced: undefined, code: 'DEADLINE' }),
      (done) => this.#connection.send(envelope, body, (error, info) => done(error || !info ? failureOf(error ?? {}, body.stage) : info.response)),
    );
  }

  /** After a refusal: is the connection good for another transaction? */
  reset(): Promise<boolean> {
    if (this.dead) return Promise.resolve(false);
    return within<boolean>(
      RESET_MS,
      () => false,
      (done) => {
        this.#connection.once('end', () => done(false));
        this.#connection.reset((error) => done(!error));
      },
    );
  }

  /** Politely when idle; a relay that does not answer is hung up on. */
  quit(): void {
    if (this.dead) return;
    this.#connection.quit();
    setTimeout(() => this.#connection.close(), QUIT_MS).unref();
    this.#die();
  }

  close(): void {
    this.#connection.close();
    this.#die();
  }
}
