import { Problem } from '#platform/errors.ts';
import type { ConsoleContext } from './env.ts';

/** The fields of a submitted form, which hold text alone, in the order of the page. */
export class Form {
  readonly #fields: ReadonlyMap<string, readonly string[]>;
  constructor(fields: ReadonlyMap<string, readonly string[]>) {
    this.#fields = fields;
  }

  static of(record: Readonly<Record<string, string | readonly string[]>>): Form {
    return new Form(new Map(Object.entries(record).map(([name, value]) => [name, typeof value === 'string' ? [value] : value])));
  }

  /** The field without spaces around it. Browsers send CR LF inside text areas, and the rest of the system knows LF alone. */
  get(name: string): string {
    return (this.#fields.get(name)?.[0] ?? '').replaceAll('\r\n', '\n').trim();
  }

  /** The field as it was typed, with its spaces, as a password needs it. */
  exact(name: string): string {
    return this.#fields.get(name)?.[0] ?? '';
  }

  all(name: string): readonly string[] {
    return this.#fields.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  /** The number of rows `name-0`, `name-1`, … that were sent. */
  rows(name: string): number {
    let n = 0;
    while (this.#fields.has(`${name}-${n}`)) n += 1;
    return n;
  }
}

/** The words of a field that takes several, between commas, semicolons or line ends. */
export const wordsOf = (text: string): string[] =>
  text
    .split(/[,;\n]/)
    .map((word) => word.trim())
    .filter(Boolean);

/** The longest form has some hundred fields. Half a million fit into a body, and taking them apart would hold everybody up for seconds. */
const MAX_FIELDS = 2_000;

/** @throws Problem 413 for too many fields; 415 for anything but a form */
export async function readForm(c: ConsoleContext): Promise<Form> {
  const type = c.req.header('content-type') ?? '';
  if (!type.startsWith('application/x-www-form-urlencoded')) throw new Problem(415, 'unsupported_media_type', 'Only a form of this console is taken here.');
  const fields = new Map<string, string[]>();
  const text = await c.req.text();
  for (let at = text.indexOf('&'), n = 1; at >= 0; at = text.indexOf('&', at + 1), n++)
    if (n >= MAX_FIELDS) throw new Problem(413, 'too_many_fields', `A form has at most ${MAX_FIELDS} fields.`);
  for (const [name, value] of new URLSearchParams(text)) {
    const values = fields.get(name);
    if (values) values.push(value);
    else fields.set(name, [value]);
  }
  return new Form(fields);
}
