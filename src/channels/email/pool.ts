import type { SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection';
import { NOT_CALLED } from '#channels/call.ts';
import { monotonicMs } from '#platform/clock.ts';
import { IDLE_MS, MESSAGES_PER_CONNECTION } from './constants.ts';
import { type Mail, type SmtpFailure, Transaction } from './mail.ts';
import { type Credentials, SmtpSession } from './session.ts';

export interface SmtpPoolOptions {
  readonly connection: SMTPConnectionOptions;
  readonly credentials: Credentials | undefined;
  readonly size: number;
  readonly deadlineMs: number;
}

interface Idle {
  readonly session: SmtpSession;
  readonly timer: NodeJS.Timeout;
}

/** Connections to the relay, opened when needed, kept for the next mails and ended when idle. */
export class SmtpPool {
  readonly #options: SmtpPoolOptions;
  readonly #idle: Idle[] = [];
  readonly #all = new Set<SmtpSession>();
  /** Mails that wait for a connection; the first one is served first. */
  readonly #waiting: Transaction[] = [];
  readonly #at = new WeakMap<Transaction, SmtpSession>();
  #closed = false;

  constructor(options: SmtpPoolOptions) {
    this.#options = options;
  }

  /** @returns the relay's final words, or what went wrong, within the deadline */
  send(mail: Mail): Promise<string | SmtpFailure> {
    return new Promise((done) => {
      const until = monotonicMs() + this.#options.deadlineMs;
      const attempt = (secondTry: boolean): Transaction => {
        const timer = setTimeout(() => this.#giveUp(transaction), Math.max(1, until - monotonicMs()));
        const transaction: Transaction = new Transaction(mail, (result) => {
          clearTimeout(timer);
          mail.recall?.remove(call);
          if (secondTry || this.#closed || mail.recall?.recalled || !this.#hungUp(transaction, result)) return done(result);
          const again = attempt(true);
          return this.#all.size < this.#options.size ? this.#open(again, until) : void this.#waiting.unshift(again);
        });
        const call = { takeBack: () => this.#takeBack(transaction) };
        mail.recall?.add(call);
        return transaction;
      };
      if (mail.recall?.recalled) return done({ stage: 'connect', reply: 0, enhanced: undefined, code: NOT_CALLED });
      if (this.#closed) return done({ stage: 'connect', reply: 0, enhanced: undefined, code: 'CLOSED' });
      const transaction = attempt(false);
      const idle = this.#takeIdle();
      if (idle) this.#give(idle, transaction);
      else if (this.#all.size < this.#options.size) this.#open(transaction, until);
      else this.#waiting.push(transaction);
    });
  }

  /**
   * A relay may hang up a kept connection at the moment we use it. Nothing of the message was sent then, so it is tried once more on a
   * fresh one.
   */
  #hungUp(transaction: Transaction, result: string | SmtpFailure): boolean {
    const session = this.#at.get(transaction);
    return (
      session !== undefined && session.given > 1 && typeof result !== 'string' && result.stage === 'data' && result.reply === 0 && result.code !== 'DEADLINE'
    );
  }

  /** Takes back a mail that has no connection, or whose connection is being made; that connection is kept for others. */
  #takeBack(transaction: Transaction): void {
    if (this.#at.has(transaction)) return;
    const at = this.#waiting.indexOf(transaction);
    if (at >= 0) this.#waiting.splice(at, 1);
    transaction.fail(NOT_CALLED);
  }

  #giveUp(transaction: Transaction): void {
    const at = this.#waiting.indexOf(transaction);
    if (at >= 0) this.#waiting.splice(at, 1);
    transaction.fail('DEADLINE');
    // The connection is in the middle of a mail and cannot be used for another.
    this.#at.get(transaction)?.close();
  }

  #open(transaction: Transaction, until: number): void {
    const session = new SmtpSession(this.#options.connection, this.#options.credentials, {
      next: (one) => this.#next(one),
      idle: (one) => this.#release(one),
      dead: (one) => this.#forget(one),
    });
    this.#all.add(session);
    void session.open(Math.max(1, until - monotonicMs())).then((failure) => {
      if (failure) return transaction.end(failure);
      // The mail's deadline passed meanwhile.
      if (transaction.settled) return this.#release(session);
      return this.#give(session, transaction);
    });
  }

  #give(session: SmtpSession, transaction: Transaction): void {
    this.#at.set(transaction, session);
    session.start(transaction);
  }

  #next(session: SmtpSession): Transaction | undefined {
    if (session.given >= MESSAGES_PER_CONNECTION) return undefined;
    const next = this.#waiting.shift();
    if (next) this.#at.set(next, session);
    return next;
  }

  /** The connection that was used last goes first, so that the others grow old and end. */
  #takeIdle(): SmtpSession | undefined {
    const idle = this.#idle.pop();
    clearTimeout(idle?.timer);
    return idle?.session;
  }

  #release(session: SmtpSession): void {
    if (session.dead) return;
    const next = this.#next(session);
    if (next) return session.start(next);
    if (session.given >= MESSAGES_PER_CONNECTION) return this.#quit(session);
    this.#idle.push({ session, timer: setTimeout(() => this.#age(session), IDLE_MS).unref() });
  }

  #age(session: SmtpSession): void {
    const at = this.#idle.findIndex((one) => one.session === session);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#quit(session);
  }

  /** Frees the place of a connection before the relay has said goodbye. */
  #quit(session: SmtpSession): void {
    session.quit();
    this.#forget(session);
  }

  #forget(session: SmtpSession): void {
    if (!this.#all.delete(session)) return;
    const at = this.#idle.findIndex((one) => one.session === session);
    if (at >= 0) clearTimeout(this.#idle.splice(at, 1)[0]?.timer);
    const next = this.#waiting.shift();
    if (next) this.#open(next, monotonicMs() + this.#options.deadlineMs);
  }

  /**
   * Ends all. Signing may outlast the time that mails under way are given: a mail that comes then is not sent, and its caller is told
   * so.
   */
  close(): void {
    this.#closed = true;
    for (const transaction of this.#waiting.splice(0)) transaction.fail('CLOSED');
    for (const { session, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      session.quit();
    }
    for (const session of [...this.#all]) session.close();
  }
}
