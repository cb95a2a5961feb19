import type { SMTPConnectionOptions, SMTPEnvelope } from 'nodemailer/lib/smtp-connection';
import { monotonicMs } from '#platform/clock.ts';
import { IDLE_MS, MESSAGES_PER_CONNECTION } from './constants.ts';
import { type Credentials, type SmtpFailure, SmtpSession } from './session.ts';

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

const failure = (code: string): SmtpFailure => ({ stage: 'connect', reply: 0, enhanced: undefined, code });

/** Connections to the relay, opened when needed, kept for the next message and ended when idle. */
export class SmtpPool {
  readonly #options: SmtpPoolOptions;
  readonly #idle: Idle[] = [];
  readonly #all = new Set<SmtpSession>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(options: SmtpPoolOptions) {
    this.#options = options;
  }

  /** @returns the relay's final words, or what went wrong, within the deadline */
  async send(envelope: SMTPEnvelope, message: string | Buffer): Promise<string | SmtpFailure> {
    const until = monotonicMs() + this.#options.deadlineMs;
    if (!(await this.#turn(until))) return failure('DEADLINE');
    try {
      const reused = this.#takeIdle();
      const result = await this.#transact(reused ?? this.#create(), envelope, message, until, reused !== undefined);
      // A relay may hang up an idle session at the moment we use it. Nothing of the message was sent: once more, afresh.
      const hungUp = reused && typeof result !== 'string' && result.stage === 'data' && result.reply === 0 && result.code !== 'DEADLINE';
      return hungUp ? await this.#transact(this.#create(), envelope, message, until, false) : result;
    } finally {
      this.#busy--;
      this.#waiting.shift()?.();
    }
  }

  async #transact(session: SmtpSession, envelope: SMTPEnvelope, message: string | Buffer, until: number, open: boolean): Promise<string | SmtpFailure> {
    const unable = open ? undefined : await session.open(Math.max(1, until - monotonicMs()));
    if (unable) return unable;
    const result = await session.transact({ ...envelope }, message, Math.max(1, until - monotonicMs()));
    if (typeof result === 'string') this.#release(session);
    else if (result.reply === 0 || result.reply === 421) session.close();
    else if (await session.reset()) this.#release(session);
    else session.close();
    return result;
  }

  /** Waits for one of the `size` places, first come first served. */
  async #turn(until: number): Promise<boolean> {
    while (this.#busy >= this.#options.size) {
      const late = await new Promise<boolean>((resolve) => {
        const go = (): void => {
          clearTimeout(timer);
          resolve(false);
        };
        const timer = setTimeout(
          () => {
            this.#waiting.splice(this.#waiting.indexOf(go), 1);
            resolve(true);
          },
          Math.max(1, until - monotonicMs()),
        );
        this.#waiting.push(go);
      });
      if (late) return false;
    }
    this.#busy++;
    return true;
  }

  #create(): SmtpSession {
    const session = new SmtpSession(this.#options.connection, this.#options.credentials);
    this.#all.add(session);
    session.onDead = () => {
      this.#all.delete(session);
      const at = this.#idle.findIndex((one) => one.session === session);
      if (at >= 0) clearTimeout(this.#idle.splice(at, 1)[0]?.timer);
    };
    return session;
  }

  /** The most recently used first, so that the others grow old and end. */
  #takeIdle(): SmtpSession | undefined {
    const idle = this.#idle.pop();
    clearTimeout(idle?.timer);
    return idle?.session;
  }

  #release(session: SmtpSession): void {
    if (session.dead) return;
    if (session.sent >= MESSAGES_PER_CONNECTION) session.quit();
    else this.#idle.push({ session, timer: setTimeout(() => session.quit(), IDLE_MS).unref() });
  }

  close(): void {
    for (const { session, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      session.quit();
    }
    for (const session of this.#all) session.close();
  }
}
