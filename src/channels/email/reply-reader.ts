/** A whole reply; lines of a longer one are joined by "\n" (RFC 5321 section 4.2.1). */
export interface Reply {
  readonly code: number;
  readonly text: string;
}

/** A relay that says more than this in one reply is not one. */
const MAX_REPLY_BYTES = 65_536;

/** RFC 5321 section 4.2.1: nothing else is a reply, and what is none must not pass for a refusal. */
const REPLY = /^([2-5]\d\d)([ -]|$)/;

/** Cuts what comes from the socket into replies, however it was cut on its way. */
export class ReplyReader {
  #rest = '';
  #lines = '';

  /** @returns the replies that are complete now, or undefined when this is not SMTP */
  read(chunk: Buffer): Reply[] | undefined {
    const replies: Reply[] = [];
    const lines = (this.#rest + chunk.toString('utf8')).split(/\r?\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      const parts = REPLY.exec(line);
      if (!parts) return undefined;
      this.#lines += line;
      if (parts[2] === '-') {
        this.#lines += '\n';
        if (this.#lines.length > MAX_REPLY_BYTES) return undefined;
        continue;
      }
      replies.push({ code: Number(parts[1]), text: this.#lines });
      this.#lines = '';
    }
    return this.#rest.length > MAX_REPLY_BYTES ? undefined : replies;
  }
}
