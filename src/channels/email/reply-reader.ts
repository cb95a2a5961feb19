/** A whole reply. The lines of a longer one are joined by "\n" (RFC 5321 section 4.2.1). */
export interface Reply {
  readonly code: number;
  readonly text: string;
}

/** Whoever says more than this in one reply is no relay. */
const MAX_REPLY_BYTES = 65_536;

/** How a reply begins (RFC 5321 section 4.2.1). Nothing else is a reply, and what is none must not pass for a refusal. */
export const REPLY = /^([2-5]\d\d)([ -]|$)/;

/** RFC 2034 section 4; of a reply of several lines the first that has one. */
export const enhancedCode = (reply: string): string | undefined => /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)/m.exec(reply)?.[1];

/** Cuts what comes from the socket into replies, however it was cut on its way. */
export class ReplyReader {
  #rest = '';
  #lines = '';
  #broken = false;

  /** Whether something came, after all replies so far, that is no SMTP. */
  get broken(): boolean {
    return this.#broken;
  }

  /** @returns the replies that are complete now, up to what is none */
  read(chunk: Buffer): Reply[] {
    const replies: Reply[] = [];
    // A byte is a character: words in another encoding are for nobody to read, and may be cut in the middle of a letter.
    const lines = (this.#rest + chunk.toString('latin1')).split(/\r?\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (/^[ \t]*$/.test(line)) continue;
      const parts = REPLY.exec(line);
      // All lines of a reply have the same code (RFC 5321 section 4.2.1): of two, nobody knows which one is meant.
      const isOf = parts !== null && (this.#lines === '' || this.#lines.startsWith(line.slice(0, 3)));
      this.#broken = !isOf || this.#lines.length + line.length > MAX_REPLY_BYTES;
      if (!parts || this.#broken) return replies;
      this.#lines += line;
      if (parts[2] === '-') this.#lines += '\n';
      else {
        replies.push({ code: Number(parts[1]), text: this.#lines });
        this.#lines = '';
      }
    }
    this.#broken = this.#lines.length + this.#rest.length > MAX_REPLY_BYTES;
    return replies;
  }
}
