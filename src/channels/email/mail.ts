import type { Recall } from '#domain/delivery/recall.ts';
import type { Stage } from './codes.ts';

/** One message for one person in the form that goes over the wire. */
export interface Mail {
  readonly from: string;
  readonly to: string;
  /** Headers and body; every line ends with CRLF, none is dot-stuffed yet. */
  readonly message: string;
  /** Takes it back until a connection has it. */
  readonly recall?: Recall | undefined;
}

/** How a mail ended badly. `reply` is 0 where the relay said nothing. */
export interface SmtpFailure {
  readonly stage: Stage;
  readonly reply: number;
  readonly enhanced: string | undefined;
  readonly code: string;
}

/** A mail on its way. `stage` is how far it certainly came; it tells "certainly not accepted" from "unknown" (RFC 1047). */
export class Transaction {
  stage: Stage = 'connect';
  /** What refused it at MAIL or RCPT, while DATA was already on its way. */
  refusal: SmtpFailure | undefined;
  readonly mail: Mail;
  #settle: ((result: string | SmtpFailure) => void) | undefined;

  constructor(mail: Mail, settle: (result: string | SmtpFailure) => void) {
    this.mail = mail;
    this.#settle = settle;
  }

  get settled(): boolean {
    return this.#settle === undefined;
  }

  /** @param result the relay's final words, or what went wrong; the first one counts */
  end(result: string | SmtpFailure): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(result);
  }

  /** Ends it without words from the relay. */
  fail(code: string): void {
    this.end({ stage: this.stage, reply: 0, enhanced: undefined, code });
  }
}
