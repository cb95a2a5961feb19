import { Problem } from '#platform/errors.ts';
import { Form } from './form.ts';

/** A form that was sent as multipart/form-data (RFC 7578) with one file as its last part. */
export interface Upload {
  /** The fields before the file. */
  readonly fields: Form;
  readonly fileName: string;
  /** The file is read once, to its end, and never held whole. */
  readonly file: AsyncIterable<Uint8Array>;
}

const MAX_HEAD_BYTES = 8 * 1024;
const MAX_FIELD_BYTES = 64 * 1024;
const malformed = (): Problem => new Problem(400, 'malformed_upload', 'The upload ended early or is not a form. Try again.');

/** Reads the bytes of the body and looks ahead, so that it finds a boundary that lies across two chunks. */
class Source {
  #held = Buffer.alloc(0);
  #ended = false;
  readonly #reader: AsyncIterator<Uint8Array>;
  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#reader = stream[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const next = await this.#reader.next();
    if (next.done === true) this.#ended = true;
    else this.#held = Buffer.concat([this.#held, next.value]);
    return !this.#ended;
  }

  /** Takes everything up to `mark`, and the mark too. */
  async until(mark: Buffer, limit: number): Promise<Buffer> {
    for (let from = 0; ; ) {
      const at = this.#held.indexOf(mark, from);
      if (at >= 0 && at <= limit) {
        const found = this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + mark.length);
        return found;
      }
      from = Math.max(0, this.#held.length - mark.length + 1);
      if (from > limit || at > limit || !(await this.#more())) throw malformed();
    }
  }

  /** Does the same as `until`, piece by piece. */
  async *stream(mark: Buffer): AsyncGenerator<Uint8Array> {
    for (;;) {
      const at = this.#held.indexOf(mark);
      if (at >= 0) {
        const last = this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + mark.length);
        if (last.length > 0) yield last;
        return;
      }
      const safe = this.#held.length - mark.length + 1;
      if (safe > 0) {
        const piece = this.#held.subarray(0, safe);
        this.#held = this.#held.subarray(safe);
        yield piece;
      }
      if (!(await this.#more())) throw malformed();
    }
  }
}

const parameter = (line: string, name: string): string | undefined => new RegExp(`(?:^|[;\\s])${name}="([^"\\r\\n]*)"`, 'i').exec(line)?.[1];

/**
 * Reads the fields and stops where the file begins.
 * @throws Problem 400 `malformed_upload`; 422 `file_required` when there is no file part
 */
export async function readUpload(contentType: string, body: AsyncIterable<Uint8Array> | null): Promise<Upload> {
  const boundary = /boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const name = boundary?.[1] ?? boundary?.[2];
  if (!body || !name) throw malformed();
  const source = new Source(body);
  const mark = Buffer.from(`\r\n--${name}`);
  const fields: Record<string, string> = {};
  await source.until(Buffer.from(`--${name}`), MAX_HEAD_BYTES);
  for (;;) {
    const end = (await source.until(Buffer.from('\r\n'), MAX_HEAD_BYTES)).toString('latin1').trim();
    if (end === '--') break;
    if (end !== '') throw malformed();
    const head = (await source.until(Buffer.from('\r\n\r\n'), MAX_HEAD_BYTES)).toString('utf8');
    const disposition = head.split('\r\n').find((line) => /^content-disposition:/i.test(line)) ?? '';
    const fileName = parameter(disposition, 'filename');
    if (fileName !== undefined) return { fields: Form.of(fields), fileName, file: source.stream(mark) };
    const field = parameter(disposition, 'name');
    if (field === undefined) throw malformed();
    fields[field] = (await source.until(mark, MAX_FIELD_BYTES)).toString('utf8');
  }
  throw new Problem(422, 'file_required', 'Choose a file first.');
}
