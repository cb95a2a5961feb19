export interface Line {
  /** The number of the line in the file, from 1. */
  readonly line: number;
  /** The text without its line break; undefined for a line longer than `MAX_LINE`, whose text was not kept. */
  readonly text: string | undefined;
}

/** Characters of a line. A person needs a few hundred; a longer line is no list of people, and memory must stay flat. */
export const MAX_LINE = 65_536;

/** Cuts pieces of text into lines, which end in LF or CRLF, or in CR alone where the first line does. */
export class LineSplitter {
  #rest = '';
  #line = 0;
  #separator: string | undefined;
  #overlong = false;

  push(piece: string): Line[] {
    this.#rest += piece;
    this.#separator ??= firstBreak(this.#rest);
    const parts = this.#rest.split(this.#separator ?? '\n');
    this.#rest = parts.pop() ?? '';
    const lines = parts.map((part) => this.#finish(part));
    if (this.#rest.length > MAX_LINE) {
      this.#overlong = true;
      this.#rest = '';
    }
    return lines;
  }

  /** Gives the last line, where the file does not end in a line break. */
  end(): Line[] {
    return this.#rest === '' && !this.#overlong ? [] : [this.#finish(this.#rest)];
  }

  #finish(part: string): Line {
    this.#line += 1;
    const overlong = this.#overlong || part.length > MAX_LINE;
    this.#overlong = false;
    return { line: this.#line, text: overlong ? undefined : part.endsWith('\r') ? part.slice(0, -1) : part };
  }
}

/** @returns undefined while there is no break, or only a CR at the very end, which may be half of CRLF */
function firstBreak(text: string): '\n' | '\r' | undefined {
  const at = text.search(/[\r\n]/);
  if (at < 0 || (text[at] === '\r' && at === text.length - 1)) return undefined;
  return text[at] === '\r' && text[at + 1] !== '\n' ? '\r' : '\n';
}
